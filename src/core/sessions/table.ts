import type { LeaveCause } from "../../protocol/codes.ts";
import type { SessionKind } from "../../protocol/wire.ts";
import { Bucket, type ReadonlyBucket } from "./bucket.ts";
import {
  FLAG_VALUES,
  FOCUSED_BIT,
  flagBitsOf,
  type Ownership,
  type Session,
  type SessionConnection,
  type SessionState,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
} from "./session.ts";
import { SessionRow } from "./session-row.ts";
import { UserRow } from "./user-row.ts";

/** What one call changed in the table: all that a view needs to decide whether the change affects it. */
export interface Change {
  readonly user: User;
  /** The session's flag bits before and after, as a bit set. */
  readonly flagSet: number;
  /** The session's conversation before and after; undefined where the session did not exist. */
  readonly from: string | null | undefined;
  readonly to: string | null | undefined;
  /**
   * The user's first visible widget appeared or the last one went, so the user's background sessions count
   * differently now.
   */
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

/** A table that can only be read. */
export interface ReadonlyTable
  extends Pick<Table, "get" | "user" | "all" | "changedAt" | "counts" | "debugCounts"> {
  /** See `Table.bucket`. */
  bucket(conversationId: string | null | undefined): ReadonlyBucket | undefined;
}

/**
 * The sessions of one app, by id, by user and by conversation. The table owns its rows: every change goes
 * through its methods. Each call costs in proportion to its result.
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
   * A counter that changes with each change of a session in a conversation (null: in none), or of any session
   * (undefined).
   */
  changedAt(conversationId: string | null | undefined): number {
    return this.bucket(conversationId)?.changedAt ?? 0;
  }

  counts(): Counts {
    const counts = { users: this.#users.size, sessions: this.#all.size, widgets: 0, focused: 0, typing: 0 };
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
      const n = this.#all.count(flagBits);
      if ((flagBits & VISIBLE_BIT) !== 0) counts.widgets += n;
      if ((flagBits & FOCUSED_BIT) !== 0) counts.focused += n;
      if ((flagBits & TYPING_BIT) !== 0) counts.typing += n;
    }
    return { ...counts, backgroundSessions: counts.sessions - counts.widgets };
  }

  /** Sizes of internal collections. All must be zero once every session has ended. */
  debugCounts(): Record<string, number> {
    return {
      sessions: this.#sessions.size,
      users: this.#users.size,
      all: this.#all.size,
      conversations: this.#conversations.size,
    };
  }

  /** Adds a session. Its id must not be in the table. */
  open(
    sessionId: string,
    userId: string,
    kind: SessionKind,
    state: SessionState,
    connection: SessionConnection | undefined,
    ownership?: Ownership,
  ): Change {
    let user = this.#users.get(userId);
    if (user === undefined) {
      user = new UserRow(userId);
      this.#users.set(userId, user);
    }
    const session = new SessionRow(sessionId, user, kind, state, connection, ownership);
    this.#sessions.set(sessionId, session);
    user.add(session);
    user.customBytes += state.customBytes;
    this.#changed();
    this.#all.add(session, "slotInAll");
    this.#addToConversation(session);
    const visible = (session.flagBits & VISIBLE_BIT) !== 0;
    if (visible) user.visibleWidgets++;
    return {
      user,
      flagSet: 1 << session.flagBits,
      from: undefined,
      to: state.selectedConversationId,
      visibilityFlipped: visible && user.visibleWidgets === 1,
      cause: "changed",
    };
  }

  /** Sets the state of a session. Returns undefined if nothing has changed that others can see. */
  update(session: Session, state: SessionState): Change | undefined {
    if (state === session) return undefined;
    const row = rowOf(session);
    const { flagBits: flagsBefore, selectedConversationId: from } = row;
    const flagBits = flagBitsOf(row.kind, state);
    const to = state.selectedConversationId;
    if (flagBits === flagsBefore && from === to && state.custom === row.custom) {
      row.setState(state, flagBits);
      return undefined;
    }
    const user = userOf(row);
    user.invalidateCache();
    user.customBytes += state.customBytes - row.customBytes;
    this.#changed();
    const sameBucket = from === to ? this.#conversations.get(to)! : undefined;
    if (flagBits !== flagsBefore) {
      this.#all.remove(row, "slotInAll", flagsBefore);
      sameBucket?.remove(row, "slotInConversation", flagsBefore);
    }
    if (sameBucket === undefined) this.#removeFromConversation(row, from, flagsBefore);
    row.setState(state, flagBits);
    if (flagBits !== flagsBefore) {
      this.#all.add(row, "slotInAll");
      sameBucket?.add(row, "slotInConversation");
    }
    if (sameBucket === undefined) this.#addToConversation(row);
    else sameBucket.changedAt = this.#changes;
    const wasVisible = user.visibleWidgets > 0;
    user.visibleWidgets += ((flagBits & VISIBLE_BIT) - (flagsBefore & VISIBLE_BIT)) / VISIBLE_BIT;
    return {
      user,
      flagSet: (1 << flagBits) | (1 << flagsBefore),
      from,
      to,
      visibilityFlipped: wasVisible !== user.visibleWidgets > 0,
      cause: "changed",
    };
  }

  /** Binds a session to a connection. No view sees a change. */
  assign(session: Session, connection: SessionConnection): void {
    rowOf(session).connection = connection;
  }

  /** Removes the connection of a session. The session itself stays as it is. */
  detach(session: Session): void {
    rowOf(session).connection = undefined;
  }

  /**
   * Sets the owner, the epoch and the time of disconnection of a session; see `Ownership`. Does nothing
   * outside a cluster. No view sees a change.
   */
  setOwner(session: Session, owner: string | undefined, epoch: number, lostAt: number | undefined): void {
    const { ownership } = rowOf(session);
    if (ownership === undefined) return;
    ownership.owner = owner;
    ownership.epoch = epoch;
    ownership.lostAt = lostAt;
  }

  /** Removes a session. */
  end(session: Session, cause: LeaveCause): Change {
    const row = rowOf(session);
    const { flagBits } = row;
    const user = userOf(row);
    const from = row.selectedConversationId;
    this.#sessions.delete(row.sessionId);
    user.sessions.splice(user.sessions.indexOf(row), 1);
    user.customBytes -= row.customBytes;
    user.invalidateCache();
    this.#changed();
    this.#all.remove(row, "slotInAll", flagBits);
    this.#removeFromConversation(row, from, flagBits);
    const visible = (flagBits & VISIBLE_BIT) !== 0;
    if (visible) user.visibleWidgets--;
    if (user.sessions.length === 0) this.#users.delete(user.userId);
    return {
      user,
      flagSet: 1 << flagBits,
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

  #addToConversation(session: SessionRow): void {
    const { selectedConversationId } = session;
    let bucket = this.#conversations.get(selectedConversationId);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#conversations.set(selectedConversationId, bucket);
    }
    bucket.add(session, "slotInConversation");
    bucket.changedAt = this.#changes;
  }

  #removeFromConversation(session: SessionRow, conversationId: string | null, flagBits: number): void {
    const bucket = this.#conversations.get(conversationId)!;
    bucket.remove(session, "slotInConversation", flagBits);
    bucket.changedAt = this.#changes;
    if (bucket.size === 0) this.#conversations.delete(conversationId);
  }
}

// All sessions and users come from a table, so each is one of its rows.

function rowOf(session: Session): SessionRow {
  return session as SessionRow;
}

function userOf({ user }: SessionRow): UserRow {
  return user as UserRow;
}
