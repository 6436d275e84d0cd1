import type { LeaveCause } from "../../protocol/codes.ts";
import type { SessionKind } from "../../protocol/wire.ts";
import { Bucket } from "./bucket.ts";
import {
  FOCUSED_SHAPE,
  type Origin,
  Session,
  type SessionState,
  SHAPES,
  shapeOf,
  TYPING_SHAPE,
  VISIBLE_SHAPE,
} from "./session.ts";
import { User } from "./user.ts";

/** What one call did to the table: all that a live result needs to know whether it is touched. */
export interface Change<Holder> {
  readonly user: User<Holder>;
  /** The shapes that the session had before and has after, as a bit set. */
  readonly shapes: number;
  /** Its conversation before and after; undefined where there was, or is, no session. */
  readonly from: string | null | undefined;
  readonly to: string | null | undefined;
  /** The user's first visible widget appeared or the last one went: their background sessions count otherwise now. */
  readonly visibilityFlipped: boolean;
  /** Why the user left a result, if this change made them leave it. */
  readonly cause: LeaveCause;
}

export interface Counts {
  users: number;
  sessions: number;
  widgets: number;
  backgroundSessions: number;
  focused: number;
  typing: number;
}

/** The sessions of one app, by id, by user and by conversation. No call walks more than it answers with. */
export class Table<Holder> {
  readonly #sessions = new Map<string, Session<Holder>>();
  readonly #users = new Map<string, User<Holder>>();
  readonly #all = new Bucket<Holder>();
  readonly #conversations = new Map<string | null, Bucket<Holder>>();
  #changes = 0;

  get(sessionId: string): Session<Holder> | undefined {
    return this.#sessions.get(sessionId);
  }

  user(userId: string): User<Holder> | undefined {
    return this.#users.get(userId);
  }

  all(): Iterable<Session<Holder>> {
    return this.#sessions.values();
  }

  /** The sessions in a conversation (null: in none), or all of them (undefined). */
  bucket(conversationId: string | null | undefined): Bucket<Holder> | undefined {
    return conversationId === undefined ? this.#all : this.#conversations.get(conversationId);
  }

  /**
   * Differs from what it was if anything about the sessions in a conversation (null: in none), or about any of them
   * (undefined), has changed since.
   */
  changedAt(conversationId: string | null | undefined): number {
    return this.bucket(conversationId)?.changedAt ?? 0;
  }

  counts(): Counts {
    const counts = { users: this.#users.size, sessions: this.#all.size, widgets: 0, focused: 0, typing: 0 };
    for (let shape = 0; shape < SHAPES; shape++) {
      const n = this.#all.count(shape);
      if ((shape & VISIBLE_SHAPE) !== 0) counts.widgets += n;
      if ((shape & FOCUSED_SHAPE) !== 0) counts.focused += n;
      if ((shape & TYPING_SHAPE) !== 0) counts.typing += n;
    }
    return { ...counts, backgroundSessions: counts.sessions - counts.widgets };
  }

  /** Numbers that must all be zero when everybody has left. */
  leftovers(): Record<string, number> {
    return {
      sessions: this.#sessions.size,
      users: this.#users.size,
      all: this.#all.size,
      conversations: this.#conversations.size,
    };
  }

  /** Adds a session under an id that is not in the table. */
  open(
    sessionId: string,
    userId: string,
    kind: SessionKind,
    state: SessionState,
    holder: Holder | undefined,
    origin?: Origin,
  ): Change<Holder> {
    let user = this.#users.get(userId);
    if (user === undefined) {
      user = new User<Holder>(userId);
      this.#users.set(userId, user);
    }
    const session = new Session(sessionId, user, kind, state, holder, origin);
    this.#sessions.set(sessionId, session);
    user.add(session);
    user.customBytes += state.customBytes;
    this.#changed();
    this.#all.add(session, "placeInAll");
    this.#enter(session);
    const visible = (session.shape & VISIBLE_SHAPE) !== 0;
    if (visible) user.visibleWidgets++;
    return {
      user,
      shapes: 1 << session.shape,
      from: undefined,
      to: state.selectedConversationId,
      visibilityFlipped: visible && user.visibleWidgets === 1,
      cause: "changed",
    };
  }

  /** Gives a session of the table another state; undefined when nothing that anybody can see has changed. */
  update(session: Session<Holder>, state: SessionState): Change<Holder> | undefined {
    if (state === session) return undefined;
    const { user, shape: shapeBefore, selectedConversationId: from } = session;
    const shape = shapeOf(session.kind, state);
    const to = state.selectedConversationId;
    if (shape === shapeBefore && from === to && state.custom === session.custom) {
      session.become(state, shape);
      return undefined;
    }
    user.forget();
    user.customBytes += state.customBytes - session.customBytes;
    this.#changed();
    const stays = from === to ? this.#conversations.get(to)! : undefined;
    if (shape !== shapeBefore) {
      this.#all.remove(session, "placeInAll", shapeBefore);
      stays?.remove(session, "placeInConversation", shapeBefore);
    }
    if (stays === undefined) this.#leave(session, from, shapeBefore);
    session.become(state, shape);
    if (shape !== shapeBefore) {
      this.#all.add(session, "placeInAll");
      stays?.add(session, "placeInConversation");
    }
    if (stays === undefined) this.#enter(session);
    else stays.changedAt = this.#changes;
    const wasVisible = user.visibleWidgets > 0;
    user.visibleWidgets += ((shape & VISIBLE_SHAPE) - (shapeBefore & VISIBLE_SHAPE)) / VISIBLE_SHAPE;
    return {
      user,
      shapes: (1 << shape) | (1 << shapeBefore),
      from,
      to,
      visibilityFlipped: wasVisible !== user.visibleWidgets > 0,
      cause: "changed",
    };
  }

  /** Takes a session out of the table. */
  end(session: Session<Holder>, cause: LeaveCause): Change<Holder> {
    const { user, shape } = session;
    const from = session.selectedConversationId;
    this.#sessions.delete(session.sessionId);
    user.sessions.splice(user.sessions.indexOf(session), 1);
    user.customBytes -= session.customBytes;
    user.forget();
    this.#changed();
    this.#all.remove(session, "placeInAll", shape);
    this.#leave(session, from, shape);
    const visible = (shape & VISIBLE_SHAPE) !== 0;
    if (visible) user.visibleWidgets--;
    if (user.sessions.length === 0) this.#users.delete(user.userId);
    return {
      user,
      shapes: 1 << shape,
      from,
      to: undefined,
      visibilityFlipped: visible && user.visibleWidgets === 0,
      cause,
    };
  }

  #changed(): void {
    this.#changes++;
    this.#all.changedAt = this.#changes;
  }

  #enter(session: Session<Holder>): void {
    const { selectedConversationId } = session;
    let bucket = this.#conversations.get(selectedConversationId);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#conversations.set(selectedConversationId, bucket);
    }
    bucket.add(session, "placeInConversation");
    bucket.changedAt = this.#changes;
  }

  #leave(session: Session<Holder>, conversationId: string | null, shape: number): void {
    const bucket = this.#conversations.get(conversationId)!;
    bucket.remove(session, "placeInConversation", shape);
    bucket.changedAt = this.#changes;
    if (bucket.size === 0) this.#conversations.delete(conversationId);
  }
}
