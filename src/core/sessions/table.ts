import type { LeaveCause } from "../../protocol/codes.ts";
import type { SessionKind } from "../../protocol/wire.ts";
import type { HashKey } from "../collections/keyed-hash.ts";
import { Bucket, type ReadonlyBucket } from "./bucket.ts";
import { CustomIndex } from "./custom-index.ts";
import type { IdList } from "./id-list.ts";
import { NO_PROFILE, type Profile } from "./profile.ts";
import {
  type Custom,
  FIELD_BIT,
  FLAG_VALUES,
  FOCUSED_BIT,
  flagBitsOf,
  INVISIBLE_BIT,
  type Ownership,
  type Session,
  type SessionConnection,
  type SessionState,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
} from "./session.ts";
import { SessionRow } from "./session-row.ts";
import { STATUS_BIT, type StatusSet } from "./status.ts";
import { UserIndex, type UserLookUp } from "./user-index.ts";
import { UserRow } from "./user-row.ts";

/** What one call changed in the table: all that a view needs to decide whether the change affects it. */
export interface Change {
  readonly user: User;
  /** The flag bits before and after, of all sessions that the change is about, as a bit set. */
  readonly flagSet: number;
  /** What may look different now: a set of `FIELD_BIT`, `SESSIONS_SHOWN` and `STATUS_SHOWN`. */
  readonly shown: number;
  /** The session's conversation before and after; undefined where the session did not exist. */
  readonly from: string | null | undefined;
  readonly to: string | null | undefined;
  /** The session's `custom` before and after, likewise. */
  readonly customFrom: Custom | undefined;
  readonly customTo: Custom | undefined;
  /** The user's status has changed, which concerns all sessions of the user. */
  readonly statusChanged: boolean;
  /**
   * The user's first visible widget appeared or the last one went, so the user's background sessions count
   * differently now.
   */
  readonly visibilityFlipped: boolean;
  /** Why the user left a result, if this change made them leave it. */
  readonly cause: LeaveCause;
}

/** In `Change.shown`, beside the bits of fields: the list of sessions, and the status. */
export const SESSIONS_SHOWN = 32;
export const STATUS_SHOWN = 64;
const ALL_SHOWN = 127;

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
  extends Pick<
    Table,
    | "get"
    | "user"
    | "lookUp"
    | "profile"
    | "profiles"
    | "usersWith"
    | "customIndex"
    | "invisibleIndex"
    | "all"
    | "changedAt"
    | "counts"
    | "debugCounts"
  > {
  /** See `Table.bucket`. */
  bucket(conversationId: string | null | undefined): ReadonlyBucket | undefined;
}

/**
 * The sessions of one app, by id, by user and by conversation, and the profiles of users. The table owns its
 * rows: every change goes through its methods. Each call costs in proportion to its result.
 */
export class Table {
  /** Sessions by values of `custom`, for the keys that the app has declared. */
  readonly customIndex: CustomIndex;
  /** The same for the sessions of invisible users, so that a filter for others never comes across them. */
  readonly invisibleIndex: CustomIndex;
  readonly #sessions = new Map<string, SessionRow>();
  readonly #users: UserIndex<UserRow>;
  readonly #all = new Bucket();
  readonly #conversations = new Map<string | null, Bucket>();
  /** By user, online or not. */
  readonly #profiles = new Map<string, Profile>();
  /** Users with another effective status than `online`, by its bit. */
  readonly #byStatus = new Map<StatusSet, Set<UserRow>>();
  #changes = 0;

  /**
   * `indexedCustom`: the keys of `custom` by which sessions are indexed. `hashKey`: random and secret, unless
   * all ids are known before.
   */
  constructor(indexedCustom: readonly string[] = [], hashKey: HashKey = new Int32Array(2)) {
    this.#users = new UserIndex(hashKey);
    this.customIndex = new CustomIndex(indexedCustom);
    this.invisibleIndex = new CustomIndex(indexedCustom);
    for (const bit of Object.values(STATUS_BIT)) this.#byStatus.set(bit, new Set());
  }

  get(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId);
  }

  user(userId: string): User | undefined {
    return this.#users.get(userId);
  }

  /** Finds many users, some at a time. Costs far less than to ask for each of them. */
  lookUp(ids: IdList): UserLookUp {
    return this.#users.lookUp(ids);
  }

  /** What is known about a user, online or not. */
  profile(userId: string): Profile {
    return this.#profiles.get(userId) ?? NO_PROFILE;
  }

  /** The users about whom something is known, or was. */
  get profiles(): ReadonlyMap<string, Profile> {
    return this.#profiles;
  }

  /** The users with this effective status; `online` is not listed. */
  usersWith(statusBit: StatusSet): ReadonlySet<User> {
    return this.#byStatus.get(statusBit)!;
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** The sessions in a conversation (null: in none), or all of them (undefined). */
  bucket(conversationId: string | null | undefined): Bucket | undefined {
    return conversationId === undefined ? this.#all : this.#conversations.get(conversationId);
  }

  /**
   * A counter that changes with each change that others can see of a session in a conversation (null: in
   * none), or of any session (undefined).
   */
  changedAt(conversationId: string | null | undefined): number {
    return this.bucket(conversationId)?.changedAt ?? 0;
  }

  /** Counts what others see: invisible users do not count, nor do their sessions. */
  counts(): Counts {
    const users = this.#users.size - this.usersWith(STATUS_BIT.invisible).size;
    const counts = { users, sessions: 0, widgets: 0, focused: 0, typing: 0 };
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
      if ((flagBits & INVISIBLE_BIT) !== 0) continue;
      const n = this.#all.count(flagBits);
      counts.sessions += n;
      if ((flagBits & VISIBLE_BIT) !== 0) counts.widgets += n;
      if ((flagBits & FOCUSED_BIT) !== 0) counts.focused += n;
      if ((flagBits & TYPING_BIT) !== 0) counts.typing += n;
    }
    return { ...counts, backgroundSessions: counts.sessions - counts.widgets };
  }

  /** Sizes of internal collections. All must be zero once every session has ended. */
  debugCounts(): Record<string, number> {
    let withStatus = 0;
    for (const users of this.#byStatus.values()) withStatus += users.size;
    return {
      sessions: this.#sessions.size,
      users: this.#users.size,
      all: this.#all.size,
      conversations: this.#conversations.size,
      indexedValues: this.customIndex.size + this.invisibleIndex.size,
      withStatus,
      profiles: this.#profiles.size,
    };
  }

  /** Forgets what is known about a user who is offline. */
  forgetProfile(userId: string): void {
    if (this.#users.get(userId) === undefined) this.#profiles.delete(userId);
  }

  /**
   * Sets what is known about a user, online or not. Returns undefined if nothing has changed that others can
   * see.
   */
  setProfile(userId: string, profile: Profile): Change | undefined {
    this.#profiles.set(userId, profile);
    const { status } = profile;
    const user = this.#users.get(userId);
    if (user === undefined) return undefined;
    const { status: before } = user;
    const wasInvisible = user.isInvisible;
    user.status = status;
    const hasFlipped = this.#updateStatusBit(user);
    const { isInvisible } = user;
    if (!hasFlipped && status.text === before.text && status.emoji === before.emoji) return undefined;
    user.invalidateCache();
    this.#changes++;
    let flagSet = 0;
    for (const session of user.sessions) {
      const row = rowOf(session);
      const bucket = this.#conversations.get(row.selectedConversationId)!;
      flagSet |= 1 << row.flagBits;
      if (isInvisible !== wasInvisible) {
        this.#setFlagBits(row, bucket, flagBitsOf(row.kind, row, isInvisible));
        (wasInvisible ? this.invisibleIndex : this.customIndex).remove(row);
        this.#customIndexOf(user).add(row);
        flagSet |= 1 << row.flagBits;
        bucket.changedAt = this.#changes;
        this.#all.changedAt = this.#changes;
      } else this.#touch(bucket, user);
    }
    return {
      user,
      flagSet,
      shown: isInvisible === wasInvisible ? STATUS_SHOWN : ALL_SHOWN,
      from: undefined,
      to: undefined,
      customFrom: undefined,
      customTo: undefined,
      statusChanged: true,
      visibilityFlipped: false,
      cause: isInvisible && !wasInvisible ? "closed" : "changed",
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
    const isFirst = user === undefined;
    if (user === undefined) {
      user = new UserRow(userId, this.profile(userId).status);
      this.#users.add(user);
    }
    const session = new SessionRow(sessionId, user, kind, state, connection, ownership);
    const { flagBits } = session;
    this.#sessions.set(sessionId, session);
    user.add(session);
    user.customBytes += state.customBytes;
    if (state.isIdle) user.idleSessions++;
    const statusChanged = this.#updateStatusBit(user) && !isFirst;
    this.#changes++;
    this.#all.add(session, "slotInAll");
    this.#addToConversation(session);
    this.#customIndexOf(user).add(session);
    this.#touch(this.#conversations.get(state.selectedConversationId), user);
    if (statusChanged) this.#touchAll(user);
    const visible = (flagBits & VISIBLE_BIT) !== 0;
    if (visible) user.visibleWidgets++;
    return {
      user,
      flagSet: 1 << flagBits,
      shown: ALL_SHOWN,
      from: undefined,
      to: state.selectedConversationId,
      customFrom: undefined,
      customTo: state.custom,
      statusChanged,
      visibilityFlipped: visible && user.visibleWidgets === 1,
      cause: "changed",
    };
  }

  /** Sets the state of a session. Returns undefined if nothing has changed that others can see. */
  update(session: Session, state: SessionState): Change | undefined {
    if (state === session) return undefined;
    const row = rowOf(session);
    const user = userOf(row);
    const { flagBits: flagsBefore, selectedConversationId: from, custom: customFrom } = row;
    const { selectedConversationId: to, custom: customTo } = state;
    const flagBits = flagBitsOf(row.kind, state, user.isInvisible);
    const statusChanged = state.isIdle !== row.isIdle && this.#setIdle(row, user, state.isIdle);
    if (flagBits === flagsBefore && from === to && customTo === customFrom && !statusChanged) {
      row.setState(state, flagBits);
      return undefined;
    }
    user.invalidateCache();
    user.customBytes += state.customBytes - row.customBytes;
    this.#changes++;
    if (customTo !== customFrom) this.#customIndexOf(user).move(row, customTo);
    if (from === to) {
      const bucket = this.#conversations.get(to)!;
      if (flagBits !== flagsBefore) this.#setFlagBits(row, bucket, flagBits);
      row.setState(state, flagBits);
      this.#touch(bucket, user);
    } else {
      this.#removeFromConversation(row, from, flagsBefore);
      if (flagBits !== flagsBefore) this.#all.remove(row, "slotInAll", flagsBefore);
      row.setState(state, flagBits);
      if (flagBits !== flagsBefore) this.#all.add(row, "slotInAll");
      this.#addToConversation(row);
      this.#touch(this.#conversations.get(from), user);
      this.#touch(this.#conversations.get(to), user);
    }
    if (statusChanged) this.#touchAll(user);
    const flipped = flagBits ^ flagsBefore;
    const wasVisible = user.visibleWidgets > 0;
    user.visibleWidgets += ((flagBits & VISIBLE_BIT) - (flagsBefore & VISIBLE_BIT)) / VISIBLE_BIT;
    return {
      user,
      flagSet: (1 << flagBits) | (1 << flagsBefore),
      shown:
        (from === to ? 0 : FIELD_BIT.selectedConversationId) |
        (customTo === customFrom ? 0 : FIELD_BIT.custom) |
        ((flipped & FOCUSED_BIT) === 0 ? 0 : FIELD_BIT.hasFocus) |
        ((flipped & TYPING_BIT) === 0 ? 0 : FIELD_BIT.isTyping) |
        ((flipped & VISIBLE_BIT) === 0 ? 0 : SESSIONS_SHOWN) |
        (statusChanged ? STATUS_SHOWN : 0),
      from,
      to,
      customFrom,
      customTo,
      statusChanged,
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
    if (row.isIdle) user.idleSessions--;
    user.invalidateCache();
    this.#changes++;
    this.#all.remove(row, "slotInAll", flagBits);
    this.#removeFromConversation(row, from, flagBits);
    this.#customIndexOf(user).remove(row);
    this.#touch(this.#conversations.get(from), user);
    const visible = (flagBits & VISIBLE_BIT) !== 0;
    if (visible) user.visibleWidgets--;
    const isLast = user.sessions.length === 0;
    const statusChanged = !isLast && this.#updateStatusBit(user);
    if (statusChanged) this.#touchAll(user);
    if (isLast) {
      this.#byStatus.get(user.statusBit)!.delete(user);
      this.#users.delete(user.userId);
    }
    return {
      user,
      flagSet: 1 << flagBits,
      shown: ALL_SHOWN,
      from,
      to: undefined,
      customFrom: row.custom,
      customTo: undefined,
      statusChanged,
      visibilityFlipped: visible && user.visibleWidgets === 0,
      cause,
    };
  }

  #customIndexOf({ isInvisible }: UserRow): CustomIndex {
    return isInvisible ? this.invisibleIndex : this.customIndex;
  }

  /** Notes that a conversation has changed. What an invisible user does leaves no trace. */
  #touch(bucket: Bucket | undefined, { isInvisible }: UserRow): void {
    if (isInvisible) return;
    this.#all.changedAt = this.#changes;
    if (bucket !== undefined) bucket.changedAt = this.#changes;
  }

  /** The same for all conversations of a user. */
  #touchAll(user: UserRow): void {
    for (const { selectedConversationId } of user.sessions)
      this.#touch(this.#conversations.get(selectedConversationId), user);
  }

  /** Sets the flag bits of a session that stays in its conversation. */
  #setFlagBits(row: SessionRow, bucket: Bucket, flagBits: number): void {
    this.#all.remove(row, "slotInAll", row.flagBits);
    bucket.remove(row, "slotInConversation", row.flagBits);
    row.flagBits = flagBits;
    this.#all.add(row, "slotInAll");
    bucket.add(row, "slotInConversation");
  }

  /** Returns whether that has changed the user's effective status. */
  #setIdle(row: SessionRow, user: UserRow, isIdle: boolean): boolean {
    row.isIdle = isIdle;
    user.idleSessions += isIdle ? 1 : -1;
    return this.#updateStatusBit(user);
  }

  /** Returns whether the user's effective status has changed. */
  #updateStatusBit(user: UserRow): boolean {
    const before = user.statusBit;
    user.updateStatusBit();
    const after = user.statusBit;
    if (before !== after && before !== STATUS_BIT.online) this.#byStatus.get(before)!.delete(user);
    if (after !== STATUS_BIT.online) this.#byStatus.get(after)!.add(user);
    return before !== after;
  }

  #addToConversation(session: SessionRow): void {
    const { selectedConversationId } = session;
    let bucket = this.#conversations.get(selectedConversationId);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#conversations.set(selectedConversationId, bucket);
    }
    bucket.add(session, "slotInConversation");
  }

  #removeFromConversation(session: SessionRow, conversationId: string | null, flagBits: number): void {
    const bucket = this.#conversations.get(conversationId)!;
    bucket.remove(session, "slotInConversation", flagBits);
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
