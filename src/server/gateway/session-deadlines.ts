import { Deadlines } from "../../core/collections/deadlines.ts";
import type { Session } from "../../core/sessions/session.ts";
import { type GatewayConfig, MAX_DUE_PER_TURN } from "./gateway-config.ts";

/** What happens to a session when its deadline is due. */
export interface DueSessions {
  stopTyping(session: Session): void;
  end(session: Session, cause: "timeout" | "closed"): void;
  readonly profiles: { expireStatus(userId: string): void; forget(userId: string): void };
}

/**
 * The deadlines of one app: the end of typing, the end of the resume window, the next turn for sessions whose
 * client has left for good, the end of sessions that were written over HTTP, the end of statuses, and the
 * time to forget a user who is offline.
 */
export class SessionDeadlines {
  readonly #limits: Pick<GatewayConfig, "typingTimeoutMs" | "resumeWindowMs">;
  readonly #wakeBy: (due: number) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #typing = new Deadlines<Session>();
  readonly #disconnected = new Deadlines<Session>();
  /** Sessions whose client has left for good, and that were too many to end in one turn. */
  readonly #ending = new Deadlines<Session>();
  /** The ends of sessions that were written over HTTP. */
  readonly #leases = new Deadlines<Session>();
  /** The ends of declared statuses, by user. */
  readonly #statuses = new Deadlines<string>();
  /** When to forget users who are offline. */
  readonly #forgetting = new Deadlines<string>();

  /** `onFailure` is called with an error from ending one session. The other sessions still end. */
  constructor(
    limits: Pick<GatewayConfig, "typingTimeoutMs" | "resumeWindowMs">,
    wakeBy: (due: number) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#limits = limits;
    this.#wakeBy = wakeBy;
    this.#onFailure = onFailure;
  }

  /** Sizes of internal collections. All must be zero once every client has left. */
  debugCounts(): Record<string, number> {
    return {
      typing: this.#typing.size,
      disconnected: this.#disconnected.size,
      ending: this.#ending.size,
      leases: this.#leases.size,
      statuses: this.#statuses.size,
      forgetting: this.#forgetting.size,
    };
  }

  startTyping(session: Session, now: number): void {
    this.#set(this.#typing, session, now + this.#limits.typingTimeoutMs);
  }

  cancelTyping(session: Session): void {
    this.#typing.delete(session);
  }

  /** The session ends when its resume window is over. */
  startResumeWindow(session: Session, now: number): void {
    this.#set(this.#disconnected, session, now + this.#limits.resumeWindowMs);
  }

  /** The session ends after other work has had its turn. */
  endSoon(session: Session, now: number): void {
    this.#set(this.#ending, session, now);
  }

  /** The session ends at `due`, unless it is written again. */
  startLease(session: Session, due: number): void {
    this.#set(this.#leases, session, due);
  }

  /** The status of a user is over at `due`. */
  startStatus(userId: string, due: number): void {
    this.#statuses.set(userId, due);
    this.#wakeBy(due);
  }

  cancelStatus(userId: string): void {
    this.#statuses.delete(userId);
  }

  /** A user who is offline is forgotten at `due`. */
  startForgetting(userId: string, due: number): void {
    this.#forgetting.set(userId, due);
    this.#wakeBy(due);
  }

  cancelForgetting(userId: string): void {
    this.#forgetting.delete(userId);
  }

  isEnding(session: Session): boolean {
    return this.#ending.get(session) !== undefined;
  }

  /** Milliseconds since the session was disconnected; undefined if it does not wait to be resumed here. */
  disconnectedForMs(session: Session, now: number): number | undefined {
    const due = this.#disconnected.get(session);
    return due === undefined ? undefined : now - (due - this.#limits.resumeWindowMs);
  }

  /** The session was resumed: it no longer ends by itself. */
  resume(session: Session): void {
    this.#disconnected.delete(session);
    this.#ending.delete(session);
  }

  /** Removes all deadlines of the session. */
  delete(session: Session): void {
    this.#typing.delete(session);
    this.#leases.delete(session);
    this.resume(session);
  }

  /**
   * Handles the deadlines that are due, a limited number of each kind. `canExpire`: whether disconnected
   * sessions may end now.
   *
   * A status that is over is so before sessions end. In a late turn, a user who was invisible for a while is
   * then seen to leave by the end of the session, and not by what was declared before.
   */
  run(now: number, canExpire: boolean, sessions: DueSessions): void {
    this.#forEachDue(this.#typing, now, (session) => sessions.stopTyping(session));
    this.#forEachDue(this.#statuses, now, (userId) => sessions.profiles.expireStatus(userId));
    if (canExpire) this.#forEachDue(this.#disconnected, now, (session) => sessions.end(session, "timeout"));
    this.#forEachDue(this.#ending, now, (session) => sessions.end(session, "closed"));
    this.#forEachDue(this.#leases, now, (session) => sessions.end(session, "timeout"));
    this.#forEachDue(this.#forgetting, now, (userId) => sessions.profiles.forget(userId));
  }

  /** When `run` next has something to do; infinity if never. */
  nextDueAt(canExpire: boolean): number {
    const disconnected = canExpire ? this.#disconnected.nextDueAt() : undefined;
    return Math.min(
      this.#typing.nextDueAt() ?? Number.POSITIVE_INFINITY,
      disconnected ?? Number.POSITIVE_INFINITY,
      this.#ending.nextDueAt() ?? Number.POSITIVE_INFINITY,
      this.#leases.nextDueAt() ?? Number.POSITIVE_INFINITY,
      this.#statuses.nextDueAt() ?? Number.POSITIVE_INFINITY,
      this.#forgetting.nextDueAt() ?? Number.POSITIVE_INFINITY,
    );
  }

  #forEachDue<K>(deadlines: Deadlines<K>, now: number, act: (key: K) => void): void {
    deadlines.forEachDue(now, MAX_DUE_PER_TURN, (key) => {
      try {
        act(key);
      } catch (error) {
        this.#onFailure(error);
      }
    });
  }

  #set(deadlines: Deadlines<Session>, session: Session, due: number): void {
    deadlines.set(session, due);
    this.#wakeBy(due);
  }
}
