import type { Filter } from "../protocol/filter.ts";
import { FOCUSED_SHAPE, type Session, SHAPES, TYPING_SHAPE, VISIBLE_SHAPE } from "../sessions/session.ts";
import type { Table } from "../sessions/table.ts";
import type { User } from "../sessions/user.ts";

/**
 * The one evaluator of filters: HTTP, queries, subscriptions and streams all ask it.
 *
 * A filter matches a session by its shape (one bit test) and its conversation. Background shapes are in the set only
 * with `includeBackgroundSessions`, so "is listed" and "matches" are the same question.
 */
export class CompiledFilter {
  /** undefined: any. */
  readonly conversationId: string | null | undefined;
  /** Which shapes match, as a bit set. */
  readonly shapes: number;
  readonly includeBackground: boolean;
  /** undefined: everyone. */
  readonly userIds: ReadonlySet<string> | undefined;
  #key: string | undefined;

  constructor(filter: Filter) {
    this.conversationId = filter.selectedConversationId;
    this.includeBackground = filter.includeBackgroundSessions ?? false;
    this.shapes = shapesOf(filter, this.includeBackground);
    this.userIds = filter.userIds && new Set(filter.userIds);
  }

  /** Equal for filters that mean the same, whatever the order and repetition of their ids. */
  get key(): string {
    this.#key ??= JSON.stringify([
      this.conversationId === undefined ? 0 : this.conversationId,
      this.shapes,
      this.includeBackground,
      this.userIds === undefined ? 0 : [...this.userIds].sort(),
    ]);
    return this.#key;
  }

  /**
   * Whether the answer follows from the sessions in its conversation alone: with background sessions or ids, it takes
   * those who are elsewhere too.
   */
  get isLocal(): boolean {
    return !this.includeBackground && this.userIds === undefined;
  }

  matches(session: Session<unknown>): boolean {
    return (
      ((this.shapes >> session.shape) & 1) !== 0 &&
      (this.conversationId === undefined || this.conversationId === session.selectedConversationId)
    );
  }

  /** Whether the user is in the result, `userIds` apart. */
  includes(user: User<unknown>): boolean {
    return this.#firstThatDecides(user) !== undefined;
  }

  /** Calls back once for each user in the result. Walks the ids of the filter or the matching sessions, nothing else. */
  forEachUser<Holder>(table: Table<Holder>, visit: (user: User<Holder>) => void): void {
    if (this.userIds !== undefined) {
      for (const userId of this.userIds) {
        const user = table.user(userId);
        if (user !== undefined && this.includes(user)) visit(user);
      }
      return;
    }
    table.bucket(this.conversationId)?.forEach(this.shapes, (session) => {
      // Several sessions of a user may match: the first of them stands for the user.
      if (this.#firstThatDecides(session.user) === session) visit(session.user);
    });
  }

  /** The user's first session that puts them into the result: one with a visible widget is decided on the widgets alone. */
  #firstThatDecides<Holder>({ sessions, visibleWidgets }: User<Holder>): Session<Holder> | undefined {
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i]!;
      if (!this.matches(session)) continue;
      if (visibleWidgets === 0 || (session.shape & VISIBLE_SHAPE) !== 0) return session;
    }
    return undefined;
  }
}

function shapesOf(filter: Filter, includeBackground: boolean): number {
  let shapes = 0;
  for (let shape = 0; shape < SHAPES; shape++) {
    const hasFocus = (shape & FOCUSED_SHAPE) !== 0;
    const isTyping = (shape & TYPING_SHAPE) !== 0;
    const isWidget = (shape & VISIBLE_SHAPE) !== 0;
    if (!isWidget && !includeBackground) continue;
    if (filter.hasFocus !== undefined && filter.hasFocus !== hasFocus) continue;
    if (filter.isTyping !== undefined && filter.isTyping !== isTyping) continue;
    shapes |= 1 << shape;
  }
  return shapes;
}
