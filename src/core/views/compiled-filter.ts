import type { Filter } from "../../protocol/filter.ts";
import {
  FLAG_VALUES,
  FOCUSED_BIT,
  type Session,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
} from "../sessions/session.ts";
import type { ReadonlyTable } from "../sessions/table.ts";

/** Counts iterations over tables. A user whose `lastWalk` has the current number was visited already. */
let walks = 0;

/**
 * The only evaluator of filters: HTTP requests, queries, subscriptions and streams all use it.
 *
 * A filter matches a session by its flag bits (one bit test) and its conversation. Flag bits of
 * background sessions are in the set only with `includeBackgroundSessions`, so an entry lists a session
 * exactly if the filter matches it.
 */
export class CompiledFilter {
  /** Undefined: any conversation. */
  readonly conversationId: string | null | undefined;
  /** Which flag bits match, as a bit set. */
  readonly flagSet: number;
  readonly includeBackground: boolean;
  /** Undefined: all users. */
  readonly userIds: ReadonlySet<string> | undefined;
  #key: string | undefined;

  constructor(filter: Filter) {
    this.conversationId = filter.selectedConversationId;
    this.includeBackground = filter.includeBackgroundSessions ?? false;
    this.flagSet = flagSetOf(filter, this.includeBackground);
    this.userIds = filter.userIds && new Set(filter.userIds);
  }

  /** Equal for filters with the same meaning, whatever the order and repetition of their ids. */
  get key(): string {
    this.#key ??= JSON.stringify([
      this.conversationId === undefined ? 0 : this.conversationId,
      this.flagSet,
      this.includeBackground,
      this.userIds === undefined ? 0 : [...this.userIds].sort(),
    ]);
    return this.#key;
  }

  /**
   * Whether the result depends only on the sessions in the filter's conversation. With background sessions or
   * ids, it also depends on sessions elsewhere.
   */
  get isLocal(): boolean {
    return !this.includeBackground && this.userIds === undefined;
  }

  matches(session: Session): boolean {
    return (
      ((this.flagSet >> session.flagBits) & 1) !== 0 &&
      (this.conversationId === undefined || this.conversationId === session.selectedConversationId)
    );
  }

  /**
   * Whether the user is in the result, apart from `userIds`: one of their sessions matches, and for a user
   * with a visible widget only widgets count. Checks each session of the user at most once.
   */
  includes({ sessions, visibleWidgets }: User): boolean {
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i]!;
      if (!this.matches(session)) continue;
      if (visibleWidgets === 0 || (session.flagBits & VISIBLE_BIT) !== 0) return true;
    }
    return false;
  }

  /**
   * Calls back once for each user in the result. Visits only the ids of the filter, or the matching sessions.
   */
  forEachUser(table: ReadonlyTable, visit: (user: User) => void): void {
    if (this.userIds !== undefined) {
      for (const userId of this.userIds) {
        const user = table.user(userId);
        if (user !== undefined && this.includes(user)) visit(user);
      }
      return;
    }
    // Several sessions of a user may match. The user is visited with the first.
    walks = (walks + 1) | 0;
    const walk = walks;
    table.bucket(this.conversationId)?.forEach(this.flagSet, ({ user }) => {
      if (user.lastWalk === walk) return;
      user.lastWalk = walk;
      if (this.includes(user)) visit(user);
    });
  }
}

function flagSetOf(filter: Filter, includeBackground: boolean): number {
  let flagSet = 0;
  for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
    const hasFocus = (flagBits & FOCUSED_BIT) !== 0;
    const isTyping = (flagBits & TYPING_BIT) !== 0;
    const isWidget = (flagBits & VISIBLE_BIT) !== 0;
    if (!isWidget && !includeBackground) continue;
    if (filter.hasFocus !== undefined && filter.hasFocus !== hasFocus) continue;
    if (filter.isTyping !== undefined && filter.isTyping !== isTyping) continue;
    flagSet |= 1 << flagBits;
  }
  return flagSet;
}
