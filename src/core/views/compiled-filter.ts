import type { Filter } from "../../protocol/filter.ts";
import {
  FOCUSED_BIT,
  type Session,
  STATUS_VALUES,
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
 * A filter matches a session by its status bits (one bit test) and its conversation. Status bits of
 * background sessions are in the set only with `includeBackgroundSessions`, so an entry lists a session
 * exactly if the filter matches it.
 */
export class CompiledFilter {
  /** Undefined: any conversation. */
  readonly conversationId: string | null | undefined;
  /** Which status bits match, as a bit set. */
  readonly statusSet: number;
  readonly includeBackground: boolean;
  /** Undefined: all users. */
  readonly userIds: ReadonlySet<string> | undefined;
  #key: string | undefined;

  constructor(filter: Filter) {
    this.conversationId = filter.selectedConversationId;
    this.includeBackground = filter.includeBackgroundSessions ?? false;
    this.statusSet = statusSetOf(filter, this.includeBackground);
    this.userIds = filter.userIds && new Set(filter.userIds);
  }

  /** Equal for filters with the same meaning, whatever the order and repetition of their ids. */
  get key(): string {
    this.#key ??= JSON.stringify([
      this.conversationId === undefined ? 0 : this.conversationId,
      this.statusSet,
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
      ((this.statusSet >> session.statusBits) & 1) !== 0 &&
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
      if (visibleWidgets === 0 || (session.statusBits & VISIBLE_BIT) !== 0) return true;
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
    table.bucket(this.conversationId)?.forEach(this.statusSet, ({ user }) => {
      if (user.lastWalk === walk) return;
      user.lastWalk = walk;
      if (this.includes(user)) visit(user);
    });
  }
}

function statusSetOf(filter: Filter, includeBackground: boolean): number {
  let statusSet = 0;
  for (let statusBits = 0; statusBits < STATUS_VALUES; statusBits++) {
    const hasFocus = (statusBits & FOCUSED_BIT) !== 0;
    const isTyping = (statusBits & TYPING_BIT) !== 0;
    const isWidget = (statusBits & VISIBLE_BIT) !== 0;
    if (!isWidget && !includeBackground) continue;
    if (filter.hasFocus !== undefined && filter.hasFocus !== hasFocus) continue;
    if (filter.isTyping !== undefined && filter.isTyping !== isTyping) continue;
    statusSet |= 1 << statusBits;
  }
  return statusSet;
}
