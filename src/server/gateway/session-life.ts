import {
  MAX_OWNERSHIP_NUMBER,
  NEW_SESSION,
  type Ownership,
  patchState,
  type Session,
  type SessionConnection,
} from "../../core/sessions/session.ts";
import type { Table } from "../../core/sessions/table.ts";
import type { EndCause } from "../../protocol/codes.ts";
import { MAX_USER_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { SessionKind, SessionPatch } from "../../protocol/wire.ts";
import { isHttpSession } from "./http-session-id.ts";
import { Profiles } from "./profiles.ts";
import { ReplicatedSessions } from "./replicated-sessions.ts";
import type { SessionContext } from "./session-context.ts";
import type { DueSessions, SessionDeadlines } from "./session-deadlines.ts";
import type { TransactionTime } from "./transaction-time.ts";

/**
 * The life of the sessions of one app, from opening to end. `SessionLife` and its `ReplicatedSessions` are
 * the only writers of the app's table. A transaction of the app passes it to its callback.
 *
 * @throws Error from each method, if it is called outside a transaction.
 */
export class SessionLife implements DueSessions {
  /** Applies what other nodes do to sessions. */
  readonly replicated: ReplicatedSessions;
  readonly profiles: Profiles;
  readonly #context: SessionContext;
  readonly #table: Table;
  readonly #time: TransactionTime;
  readonly #deadlines: SessionDeadlines;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#table = context.table;
    this.#time = context.time;
    this.#deadlines = context.deadlines;
    this.profiles = new Profiles(context);
    this.replicated = new ReplicatedSessions(context, this.profiles, (session) =>
      this.markDisconnected(session),
    );
  }

  /**
   * Which sessions of a user must end before one more is opened, or `resumed` is resumed: none, the ones that
   * have been disconnected for longest, on whichever node, or "full" if too few are disconnected. A resumed
   * session has to make room only if several nodes admitted sessions before they heard of each other.
   */
  sessionsToEvict(userId: string, resumed?: Session): readonly Session[] | "full" {
    const user = this.#table.user(userId);
    if (user === undefined) return [];
    const more = resumed === undefined ? 1 : 0;
    let tooMany = user.sessions.length + more - this.#context.limits.maxSessionsPerUser;
    // The caller counts the bytes of a new session.
    let tooLarge = resumed === undefined ? 0 : user.customBytes - MAX_USER_CUSTOM_BYTES;
    if (tooMany <= 0 && tooLarge <= 0) return [];
    const disconnected: Disconnected[] = [];
    for (const session of user.sessions) {
      const forMs = session === resumed ? undefined : this.#disconnectedForMs(session);
      if (forMs !== undefined) disconnected.push({ session, forMs });
    }
    if (tooMany === 1 && tooLarge <= 0 && disconnected.length > 0) {
      return [disconnected.reduce(longerDisconnected).session];
    }
    // Both may be infinite, and then the difference is NaN.
    disconnected.sort((one, other) => other.forMs - one.forMs || 0);
    const evicted: Session[] = [];
    for (const { session } of disconnected) {
      evicted.push(session);
      tooLarge -= session.customBytes;
      if (--tooMany <= 0 && tooLarge <= 0) return evicted;
    }
    return "full";
  }

  /** Ends a disconnected session early, to make room for another of the user's. */
  evict(session: Session): void {
    this.end(session, this.#deadlines.isEnding(session) ? "closed" : "timeout");
  }

  /**
   * Opens a session. The caller checks whether the user may have one more, and that the id is new.
   * @param sessionId Without one, the id is one that nobody can guess.
   */
  open(
    userId: string,
    kind: SessionKind,
    patch: SessionPatch,
    connection: SessionConnection,
    sessionId = this.#context.makeId(),
  ): Session {
    const { now } = this.#time;
    const { replicationSink, views } = this.#context;
    const state = patchState(NEW_SESSION, patch);
    const ownership = this.#newOwnership(userId, sessionId);
    if (this.#table.user(userId) === undefined) this.profiles.onOnline(userId);
    views.markDirty(this.#table.open(sessionId, userId, kind, state, connection, ownership), now);
    const session = this.#table.get(sessionId)!;
    if (state.isTyping) this.#deadlines.startTyping(session, now);
    replicationSink?.opened(session);
    return session;
  }

  /** The session with that id, if a socket of this user may resume it as that kind. */
  resumable(sessionId: string, userId: string, kind: SessionKind): Session | undefined {
    const session = isHttpSession(sessionId) ? undefined : this.#table.get(sessionId);
    return session?.user.userId === userId && session.kind === kind ? session : undefined;
  }

  /**
   * Binds a session to another connection, and tells the former one, on whichever node. No view sees a
   * change.
   */
  takeOver(session: Session, connection: SessionConnection): void {
    const { now } = this.#time;
    const before = session.connection;
    this.#table.assign(session, connection);
    this.#deadlines.resume(session);
    if (before !== undefined && before !== connection) before.onSessionTaken(session, "replaced");
    const { ownership } = session;
    if (ownership === undefined) return;
    if (ownership.owner !== undefined && session.isTyping) this.#deadlines.startTyping(session, now);
    // After a partition the higher epoch wins; of equal epochs, the one later in the log (decisions.ts). So
    // the epoch also advances for sessions that this node owns.
    this.#table.setOwner(session, undefined, Math.min(ownership.epoch + 1, MAX_OWNERSHIP_NUMBER), undefined);
    this.#context.replicationSink?.takenOver(session);
  }

  update(session: Session, patch: SessionPatch): void {
    const { now } = this.#time;
    const state = patchState(session, patch);
    if (state.isTyping && patch.isTyping === true) this.#deadlines.startTyping(session, now);
    else if (session.isTyping && !state.isTyping) this.#deadlines.cancelTyping(session);
    if (state === session) return;
    const change = this.#table.update(session, state);
    if (change !== undefined) this.#context.views.markDirty(change, now);
    if (session.ownership?.owner === undefined) this.#context.replicationSink?.changed(session);
  }

  /** A session that was written over HTTP ends by itself after `ms` milliseconds. */
  startLease(session: Session, ms: number): void {
    this.#deadlines.startLease(session, this.#time.now + ms);
  }

  stopTyping(session: Session): void {
    this.update(session, NOT_TYPING);
  }

  end(session: Session, cause: EndCause): void {
    const { now } = this.#time;
    this.#context.replicationSink?.ended(session, cause);
    this.#table.detach(session);
    this.#deadlines.delete(session);
    this.#context.views.markDirty(this.#table.end(session, cause), now);
    if (session.user.sessions.length === 0) this.profiles.onOffline(session, true);
  }

  /**
   * The session's client has left for good: the session ends at once, or a little later if many end in this
   * turn, with one socket or with many.
   */
  endWithSocket(session: Session): void {
    if (this.#context.endQuota.take()) this.end(session, "closed");
    else this.endLater(session);
  }

  /** The session's client has left for good: the session ends after other work has had its turn. */
  endLater(session: Session): void {
    this.#table.detach(session);
    this.#deadlines.endSoon(session, this.#time.now);
  }

  /**
   * The session's socket was lost. The session stays as it is, and can be resumed until its resume window
   * ends.
   */
  markDisconnected(session: Session): void {
    this.#table.detach(session);
    this.#deadlines.startResumeWindow(session, this.#time.now);
    const { ownership, user } = session;
    if (ownership === undefined || ownership.owner !== undefined) return;
    // Other nodes hear of it only if the user may soon need the room. Otherwise a network failure would make
    // every node report all its sessions to all others.
    const isScarce = 2 * user.sessions.length >= this.#context.limits.maxSessionsPerUser;
    this.#table.setOwner(session, undefined, ownership.epoch, isScarce ? this.#wallNow() : undefined);
    if (isScarce) this.#context.replicationSink?.changed(session);
  }

  /** Ends all sessions of a user. Returns how many. */
  forceEndAll(userId: string): number {
    const sessions = [...(this.#table.user(userId)?.sessions ?? [])];
    for (const session of sessions) {
      const { connection } = session;
      this.end(session, "kicked");
      connection?.onSessionTaken(session, "kicked");
    }
    return sessions.length;
  }

  /**
   * Ends all sessions of a user, and forgets the rest. Returns how many sessions there were. They end first,
   * so that nobody sees a user who was invisible.
   */
  erase(userId: string): number {
    const ended = this.forceEndAll(userId);
    this.profiles.erase(userId);
    return ended;
  }

  /**
   * Milliseconds for which a session has had no socket; undefined if it has one, or if another node has not
   * reported that it has none.
   */
  #disconnectedForMs(session: Session): number | undefined {
    if (session.connection !== undefined) return undefined;
    if (this.#deadlines.isEnding(session)) return Number.POSITIVE_INFINITY;
    const ms = this.#deadlines.disconnectedForMs(session, this.#time.now);
    if (ms !== undefined) return ms;
    const { lostAt } = session.ownership ?? {};
    return lostAt === undefined ? undefined : this.#wallNow() - lostAt;
  }

  /**
   * The ownership of a new session of this node. It counts as opened after all sessions of the user that this
   * node knows, whatever the clocks of other nodes say.
   */
  #newOwnership(userId: string, sessionId: string): Ownership | undefined {
    if (this.#context.replicationSink === undefined) return undefined;
    const last = this.#table.user(userId)?.sessions.at(-1)?.ownership?.opened ?? 0;
    // Values of other nodes may already be the maximum. Then the session ids decide.
    const opened = Math.min(Math.max(this.#context.clock.wallNow(), last + 1), MAX_OWNERSHIP_NUMBER);
    // A session that is written over HTTP may have had the same id before. Its records have lower epochs.
    const epoch = isHttpSession(sessionId) ? this.#wallNow() : 0;
    return { opened, owner: undefined, epoch, lostAt: undefined };
  }

  #wallNow(): number {
    return Math.floor(this.#context.clock.wallNow());
  }
}

interface Disconnected {
  readonly session: Session;
  readonly forMs: number;
}

function longerDisconnected(one: Disconnected, other: Disconnected): Disconnected {
  return other.forMs > one.forMs ? other : one;
}

const NOT_TYPING: SessionPatch = { isTyping: false };
