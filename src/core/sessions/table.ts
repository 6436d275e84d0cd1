import type { LeaveCause } from "../../protocol/codes.ts";
import type { SessionKind } from "../../protocol/wire.ts";
import { Bucket } from "./bucket.ts";
import {
  FOCUSED_SHAPE,
  type Origin,
  type Session,
  type SessionConnection,
  type SessionState,
  SHAPES,
  shapeOf,
  TYPING_SHAPE,
  type User,
  VISIBLE_SHAPE,
} from "./session.ts";
import { SessionRow } from "./session-row.ts";
import { UserRow } from "./user-row.ts";

/** What one call did to the table: all that a live result needs to know whether it is touched. */
export interface Change {
  readonly user: User;
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

/**
 * The sessions of one app, by id, by user and by conversation. It owns its rows: whoever wants to change one calls the
 * table. No call walks more than it answers with.
 */
export class Table {
  readonly #sessions = new Map<string, SessionRow>();
  readonly #users = new Map<string, UserRow>();
  readonly #all = new Bucket();
  readonly #conversations = new Map<string | null, Bucket>();
  #changes = 0;

  get(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId);
  }

  user(userId: string): User | undefined {
    return this.#users.get(userId);
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** The sessions in a conversation (null: in none), or all of them (undefined). */
  bucket(conversationId: string | null | undefined): Bucket | undefined {
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
    holder: SessionConnection | undefined,
    origin?: Origin,
  ): Change {
    let user = this.#users.get(userId);
    if (user === undefined) {
      user = new UserRow(userId);
      this.#users.set(userId, user);
    }
    const session = new SessionRow(sessionId, user, kind, state, holder, origin);
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
  update(session: Session, state: SessionState): Change | undefined {
    if (state === session) return undefined;
    const row = rowOf(session);
    const { shape: shapeBefore, selectedConversationId: from } = row;
    const shape = shapeOf(row.kind, state);
    const to = state.selectedConversationId;
    if (shape === shapeBefore && from === to && state.custom === row.custom) {
      row.setState(state, shape);
      return undefined;
    }
    const user = userOf(row);
    user.forget();
    user.customBytes += state.customBytes - row.customBytes;
    this.#changed();
    const stays = from === to ? this.#conversations.get(to)! : undefined;
    if (shape !== shapeBefore) {
      this.#all.remove(row, "placeInAll", shapeBefore);
      stays?.remove(row, "placeInConversation", shapeBefore);
    }
    if (stays === undefined) this.#leave(row, from, shapeBefore);
    row.setState(state, shape);
    if (shape !== shapeBefore) {
      this.#all.add(row, "placeInAll");
      stays?.add(row, "placeInConversation");
    }
    if (stays === undefined) this.#enter(row);
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

  /** Binds a session to a connection. Nobody else sees a change. */
  assign(session: Session, connection: SessionConnection): void {
    rowOf(session).holder = connection;
  }

  /** Takes the connection from a session, which stays as it is. */
  detach(session: Session): void {
    rowOf(session).holder = undefined;
  }

  /**
   * Says which node keeps a session of a cluster, since which takeover, and whether it has a socket there; see
   * `Origin`. Nobody sees a change.
   */
  setOwner(session: Session, owner: string | undefined, term: number, lostAt: number | undefined): void {
    const { origin } = rowOf(session);
    if (origin === undefined) return;
    origin.owner = owner;
    origin.term = term;
    origin.lostAt = lostAt;
  }

  /** Takes a session out of the table. */
  end(session: Session, cause: LeaveCause): Change {
    const row = rowOf(session);
    const { shape } = row;
    const user = userOf(row);
    const from = row.selectedConversationId;
    this.#sessions.delete(row.sessionId);
    user.sessions.splice(user.sessions.indexOf(row), 1);
    user.customBytes -= row.customBytes;
    user.forget();
    this.#changed();
    this.#all.remove(row, "placeInAll", shape);
    this.#leave(row, from, shape);
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

  #enter(session: SessionRow): void {
    const { selectedConversationId } = session;
    let bucket = this.#conversations.get(selectedConversationId);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#conversations.set(selectedConversationId, bucket);
    }
    bucket.add(session, "placeInConversation");
    bucket.changedAt = this.#changes;
  }

  #leave(session: SessionRow, conversationId: string | null, shape: number): void {
    const bucket = this.#conversations.get(conversationId)!;
    bucket.remove(session, "placeInConversation", shape);
    bucket.changedAt = this.#changes;
    if (bucket.size === 0) this.#conversations.delete(conversationId);
  }
}

// Sessions and users come from a table only, so each is one of its rows.

function rowOf(session: Session): SessionRow {
  return session as SessionRow;
}

function userOf({ user }: SessionRow): UserRow {
  return user as UserRow;
}
