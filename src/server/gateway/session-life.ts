import {
  MAX_ORIGIN,
  NEW_SESSION,
  type Origin,
  patchState,
  type Session,
  type SessionConnection,
  type SessionKind,
  type SessionPatch,
} from "../../core/sessions/session.ts";
import type { Table } from "../../core/sessions/table.ts";
import type { EndCause } from "../../protocol/codes.ts";
import { ReplicatedSessions } from "./replicated-sessions.ts";
import type { SessionContext } from "./session-context.ts";
import type { DueSessions, SessionDeadlines } from "./session-deadlines.ts";
import type { TransactionTime } from "./transaction-time.ts";

/**
 * The life of the sessions of one app, from their opening to their end: the one door through which its table is
 * written. A transaction of the app hands it out; outside of one, its methods throw.
 */
export class SessionLife implements DueSessions {
  /** What other nodes do to sessions. */
  readonly replicated: ReplicatedSessions;
  readonly #context: SessionContext;
  readonly #table: Table;
  readonly #time: TransactionTime;
  readonly #deadlines: SessionDeadlines;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#table = context.table;
    this.#time = context.time;
    this.#deadlines = context.deadlines;
    this.replicated = new ReplicatedSessions(context, (session) => this.markDisconnected(session));
  }

  /**
   * Which session of a user has to end before one more is opened: undefined if none has to, "full" if none may. It is
   * the one whose socket was lost the longest ago, on whichever node, as far as this node knows.
   */
  sessionToEvict(userId: string): Session | "full" | undefined {
    const sessions = this.#table.user(userId)?.sessions ?? [];
    if (sessions.length < this.#context.limits.maxSessionsPerUser) return undefined;
    let evicted: Session | undefined;
    let longest = Number.NEGATIVE_INFINITY;
    for (const session of sessions) {
      const ms = this.#disconnectedForMs(session);
      if (ms === undefined || ms <= longest) continue;
      evicted = session;
      longest = ms;
    }
    return evicted ?? "full";
  }

  /** Ends a disconnected session before its time, as the user opens another. */
  evict(session: Session): void {
    this.end(session, this.#deadlines.isEnding(session) ? "closed" : "timeout");
  }

  /** Opens a session with a fresh id. The caller finds out whether the user may have one more. */
  open(userId: string, kind: SessionKind, patch: SessionPatch, connection: SessionConnection): Session {
    const { now } = this.#time;
    const { makeId, journal, views } = this.#context;
    const sessionId = makeId();
    const state = patchState(NEW_SESSION, patch);
    const origin = this.#ownOrigin(userId);
    views.touch(this.#table.open(sessionId, userId, kind, state, connection, origin), now);
    const session = this.#table.get(sessionId)!;
    if (state.isTyping) this.#deadlines.startTyping(session, now);
    journal?.opened(session);
    return session;
  }

  /** The session of that id if this user may resume it as that kind. */
  resumable(sessionId: string, userId: string, kind: SessionKind): Session | undefined {
    const session = this.#table.get(sessionId);
    return session?.user.userId === userId && session.kind === kind ? session : undefined;
  }

  /**
   * Gives a session another connection; the one that it had is told, on whichever node. Nobody else sees a change.
   */
  takeOver(session: Session, connection: SessionConnection): void {
    const { now } = this.#time;
    const before = session.holder;
    this.#table.assign(session, connection);
    this.#deadlines.resume(session);
    if (before !== undefined && before !== connection) before.onSessionLost(session, "replaced");
    const { origin } = session;
    if (origin === undefined) return;
    if (origin.owner !== undefined && session.isTyping) this.#deadlines.startTyping(session, now);
    // Under a partition the most recent takeover wins, so the epoch also advances for sessions that this node owns.
    this.#table.setOwner(session, undefined, Math.min(origin.term + 1, MAX_ORIGIN), undefined);
    this.#context.journal?.claimed(session);
  }

  update(session: Session, patch: SessionPatch): void {
    const { now } = this.#time;
    const state = patchState(session, patch);
    if (state.isTyping && patch.isTyping === true) this.#deadlines.startTyping(session, now);
    else if (session.isTyping && !state.isTyping) this.#deadlines.stopTyping(session);
    if (state === session) return;
    const change = this.#table.update(session, state);
    if (change !== undefined) this.#context.views.touch(change, now);
    if (session.origin?.owner === undefined) this.#context.journal?.changed(session);
  }

  stopTyping(session: Session): void {
    this.update(session, NOT_TYPING);
  }

  end(session: Session, cause: EndCause): void {
    const { now } = this.#time;
    this.#context.journal?.ended(session, cause);
    this.#table.detach(session);
    this.#deadlines.delete(session);
    this.#context.views.touch(this.#table.end(session, cause), now);
  }

  /** The session's socket has said goodbye: it ends as soon as others were served. */
  endLater(session: Session): void {
    this.#table.detach(session);
    this.#deadlines.endSoon(session, this.#time.now);
  }

  /** The session's socket was lost: it stays as it is, and can be resumed, until the window is over. */
  markDisconnected(session: Session): void {
    this.#table.detach(session);
    this.#deadlines.startResumeWindow(session, this.#time.now);
    const { origin, user } = session;
    if (origin === undefined || origin.owner !== undefined) return;
    // Other nodes hear of it only if the user may soon need the place: a lost network would make all tell it to all.
    const isScarce = 2 * user.sessions.length >= this.#context.limits.maxSessionsPerUser;
    this.#table.setOwner(session, undefined, origin.term, isScarce ? this.#wallNow() : undefined);
    if (isScarce) this.#context.journal?.changed(session);
  }

  /** Ends all sessions of a user; returns how many. */
  forceEndAll(userId: string): number {
    const sessions = [...(this.#table.user(userId)?.sessions ?? [])];
    for (const session of sessions) {
      const { holder } = session;
      this.end(session, "kicked");
      holder?.onSessionLost(session, "kicked");
    }
    return sessions.length;
  }

  /**
   * For how long a session has had no socket; undefined: it has one, or another node has not said that it has none.
   */
  #disconnectedForMs(session: Session): number | undefined {
    if (session.holder !== undefined) return undefined;
    if (this.#deadlines.isEnding(session)) return Number.POSITIVE_INFINITY;
    const ms = this.#deadlines.disconnectedForMs(session, this.#time.now);
    if (ms !== undefined) return ms;
    const { lostAt } = session.origin ?? {};
    return lostAt === undefined ? undefined : this.#wallNow() - lostAt;
  }

  /**
   * For a session of this node: opened after all of the user's that are known here, whatever the clocks of other nodes
   * say.
   */
  #ownOrigin(userId: string): Origin | undefined {
    if (this.#context.journal === undefined) return undefined;
    const last = this.#table.user(userId)?.sessions.at(-1)?.origin?.opened ?? 0;
    // What other nodes wrote may be as large as can be: then the session ids decide.
    const opened = Math.min(Math.max(this.#context.clock.wallNow(), last + 1), MAX_ORIGIN);
    return { opened, owner: undefined, term: 0, lostAt: undefined };
  }

  #wallNow(): number {
    return Math.floor(this.#context.clock.wallNow());
  }
}

const NOT_TYPING: SessionPatch = { isTyping: false };
