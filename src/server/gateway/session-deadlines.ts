import { Deadlines } from "../../core/collections/deadlines.ts";
import type { Session } from "../../core/sessions/session.ts";
import { type GatewayConfig, MAX_DUE_PER_TURN } from "./gateway-config.ts";

/** What is done with a session whose time has come. */
export interface DueSessions {
  stopTyping(session: Session): void;
  end(session: Session, cause: "timeout" | "closed"): void;
}

/** When something becomes of the sessions of one app by itself: typing ends, resume windows end. */
export class SessionDeadlines {
  readonly #limits: Pick<GatewayConfig, "typingTimeoutMs" | "resumeWindowMs">;
  readonly #wakeBy: (due: number) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #typing = new Deadlines<Session>();
  readonly #disconnected = new Deadlines<Session>();
  /** Sessions whose socket has said goodbye, and that are too many to end in one turn. */
  readonly #ending = new Deadlines<Session>();

  /** `onFailure` is told what ending one session throws; the others are ended all the same. */
  constructor(
    limits: Pick<GatewayConfig, "typingTimeoutMs" | "resumeWindowMs">,
    wakeBy: (due: number) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#limits = limits;
    this.#wakeBy = wakeBy;
    this.#onFailure = onFailure;
  }

  /** Numbers that must all be zero when everybody has left. */
  debugCounts(): Record<string, number> {
    return { typing: this.#typing.size, disconnected: this.#disconnected.size, ending: this.#ending.size };
  }

  startTyping(session: Session, now: number): void {
    this.#set(this.#typing, session, now + this.#limits.typingTimeoutMs);
  }

  stopTyping(session: Session): void {
    this.#typing.delete(session);
  }

  /** The session ends when its resume window is over. */
  startResumeWindow(session: Session, now: number): void {
    this.#set(this.#disconnected, session, now + this.#limits.resumeWindowMs);
  }

  /** The session ends as soon as others were served. */
  endSoon(session: Session, now: number): void {
    this.#set(this.#ending, session, now);
  }

  isEnding(session: Session): boolean {
    return this.#ending.get(session) !== undefined;
  }

  /** For how long the session has waited to be resumed; undefined: it does not wait here. */
  disconnectedForMs(session: Session, now: number): number | undefined {
    const due = this.#disconnected.get(session);
    return due === undefined ? undefined : now - (due - this.#limits.resumeWindowMs);
  }

  /** The session was resumed: it does not end by itself. */
  resume(session: Session): void {
    this.#disconnected.delete(session);
    this.#ending.delete(session);
  }

  /** No time is measured for the session any more. */
  delete(session: Session): void {
    this.#typing.delete(session);
    this.resume(session);
  }

  /**
   * Does what is due, a bounded part of each kind. `canExpire`: whether disconnected sessions may end now.
   */
  run(now: number, canExpire: boolean, sessions: DueSessions): void {
    this.#forEachDue(this.#typing, now, (session) => sessions.stopTyping(session));
    if (canExpire) this.#forEachDue(this.#disconnected, now, (session) => sessions.end(session, "timeout"));
    this.#forEachDue(this.#ending, now, (session) => sessions.end(session, "closed"));
  }

  /** When `run` next has something to do; infinity if never. */
  nextDueAt(canExpire: boolean): number {
    const disconnected = canExpire ? this.#disconnected.nextDueAt() : undefined;
    return Math.min(
      this.#typing.nextDueAt() ?? Number.POSITIVE_INFINITY,
      disconnected ?? Number.POSITIVE_INFINITY,
      this.#ending.nextDueAt() ?? Number.POSITIVE_INFINITY,
    );
  }

  #forEachDue(deadlines: Deadlines<Session>, now: number, act: (session: Session) => void): void {
    deadlines.forEachDue(now, MAX_DUE_PER_TURN, (session) => {
      try {
        act(session);
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
