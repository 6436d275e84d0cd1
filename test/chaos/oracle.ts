import { isDeepStrictEqual } from "node:util";
import { Observer } from "./observer.ts";
import { type Result, rowsOf } from "./result.ts";

// What must hold whatever happens. Pure: it is told what clients did, what observers received and what HTTP answered, each
// with its time, and says what was broken.

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9";

export interface Violation {
  readonly invariant: Invariant;
  readonly at: number;
  readonly userId: string | undefined;
  readonly what: string;
}

export interface OracleOptions {
  /** Texts that only other apps' data have. */
  readonly foreignMarks: readonly string[];
  /** Secrets and tokens, or beginnings of them. */
  readonly canaries: readonly string[];
  /** How far the clocks of those who tell may be apart. */
  readonly toleranceMs: number;
}

export interface ExpectedSession {
  readonly sessionId: string;
  /** Fields of the row that are known. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is known of one session. */
interface Known {
  readonly userId: string;
  /** Its client said that it has it: it may not leave, unless `mayLeaveFrom` has come. */
  isHeld: boolean;
  mayLeaveFrom: number;
  /** It must have left by then. */
  by: number;
  /** When an observer saw it leave. */
  leftAt: number | undefined;
  /** Its node may be taken for dead: when it is heard of again its sessions are back. */
  mayReturn: boolean;
}

const LEEWAY_MS = 5_000;
const AT_ONCE_MS = 1_000;
const LATEST_EVENTS = 20_000;

export class ChaosOracle {
  readonly violations: Violation[] = [];
  readonly #options: OracleOptions;
  readonly #sessions = new Map<string, Known>();
  readonly #observers = new Set<Observer>();
  readonly #expiries = new Map<string, number>();
  readonly #told = new Set<string>();
  #events: { readonly at: number; readonly userId: string | undefined; readonly text: string }[] = [];

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  // What clients did

  /** The gateway has just told the user's client that it holds these sessions: from now on they must stay. */
  holds(userId: string, sessionIds: readonly string[], at: number): void {
    for (const sessionId of sessionIds) {
      const known = this.#know(sessionId, userId);
      if (known.mayReturn) known.leftAt = undefined;
      if (known.leftAt !== undefined)
        this.violated("I2", at, userId, `${sessionId} was resumed, but was seen to leave before`);
      known.mayReturn = false;
      known.isHeld = true;
      known.mayLeaveFrom = Number.POSITIVE_INFINITY;
      known.by = Number.POSITIVE_INFINITY;
      this.note(at, userId, `holds ${sessionId}`);
    }
  }

  /** All sessions of the user that are known may leave, not before `from`; and must have, `by`. */
  mayLeave(userId: string, from: number, by = Number.POSITIVE_INFINITY): void {
    for (const [sessionId, known] of this.#sessions)
      if (known.userId === userId && known.leftAt === undefined) this.mayEnd(sessionId, from, by);
  }

  /** Its node may be taken for dead though it lives: from then on the session may leave, and come back when the node does. */
  strand(sessionId: string, from: number): void {
    const known = this.#sessions.get(sessionId);
    if (known === undefined) return;
    known.mayReturn = true;
    if (known.leftAt === undefined) this.mayEnd(sessionId, from);
  }

  /** Everybody goes home. */
  allMayLeave(from: number): void {
    for (const sessionId of this.#sessions.keys()) this.mayEnd(sessionId, from);
  }

  mayEnd(sessionId: string, from: number, by = Number.POSITIVE_INFINITY): void {
    const known = this.#sessions.get(sessionId);
    if (known === undefined) return;
    known.mayLeaveFrom = Math.min(known.mayLeaveFrom, from);
    known.by = by;
  }

  /** The client said goodbye, or a back end ended it: it must be gone at once. */
  ended(sessionId: string, at: number): void {
    this.mayEnd(sessionId, at, at + AT_ONCE_MS + this.#options.toleranceMs);
    const userId = this.#sessions.get(sessionId)?.userId;
    this.note(at, userId, `ended ${sessionId}`);
  }

  /** The gateway stood still for so long: it could keep no promise meanwhile. */
  postpone(ms: number): void {
    for (const known of this.#sessions.values()) known.by += ms;
  }

  /** Another gateway took over, which knows nothing: all begins anew. */
  restarted(at: number): void {
    this.#sessions.clear();
    for (const observer of this.#observers) observer.forget();
    this.note(at, undefined, "the gateway was started again");
  }

  // What observers saw

  /**
   * Someone who subscribes. `seesAll`: its filter is such that every session is listed, so that what it sees enter and leave
   * is held against what clients did.
   */
  observer(name: string, seesAll: boolean): Observer {
    const observer = new Observer(this, name, seesAll);
    this.#observers.add(observer);
    return observer;
  }

  forgetObserver(observer: Observer): void {
    this.#observers.delete(observer);
  }

  sessionSeen(sessionId: string, userId: string, at: number): void {
    const known = this.#know(sessionId, userId);
    if (known.mayReturn) known.leftAt = undefined;
    else if (known.leftAt !== undefined && at > known.leftAt + this.#options.toleranceMs)
      this.violated("I3", at, userId, `${sessionId} came back after it had left`);
  }

  sessionLeft(sessionId: string, userId: string, at: number, cause: string | undefined): void {
    const known = this.#know(sessionId, userId);
    if (known.isHeld && at < known.mayLeaveFrom - this.#options.toleranceMs) {
      const early = Number.isFinite(known.mayLeaveFrom)
        ? `, ${Math.round(known.mayLeaveFrom - at)} ms too early`
        : "";
      this.violated("I2", at, userId, `${sessionId} left (${cause})${early}, though its client is there`);
    }
    if (at > known.by + this.#options.toleranceMs)
      this.violated("I1", at, userId, `${sessionId} left ${Math.round(at - known.by)} ms too late`);
    known.leftAt ??= at;
    this.note(at, userId, `${sessionId} left (${cause})`);
  }

  /** Nothing of another app, and no secret, is in what was sent or written. */
  output(where: string, text: string, at: number): void {
    for (const mark of this.#options.foreignMarks)
      if (text.includes(mark)) this.violated("I5", at, undefined, `${where} shows ${mark} of another app`);
    for (const canary of this.#options.canaries)
      if (text.includes(canary)) this.violated("I8", at, undefined, `${where} shows a secret`);
  }

  // Tokens

  /** The socket's token is good until `exp` (ms); a refresh moves it. */
  expires(socket: string, exp: number): void {
    this.#expiries.set(socket, exp);
  }

  delivered(socket: string, at: number): void {
    const exp = this.#expiries.get(socket);
    if (exp === undefined || at <= exp + LEEWAY_MS + AT_ONCE_MS) return;
    this.violated("I9", at, undefined, `${socket} was sent something ${Math.round(at - exp)} ms after exp`);
  }

  // The node

  crashed(what: string, at: number): void {
    this.violated("I6", at, undefined, what);
  }

  /** Counters and handles, when all have left. */
  leftovers(name: string, before: number, after: number, allowed: number, at: number): void {
    if (after > before + allowed)
      this.violated("I7", at, undefined, `${name}: ${before} before, ${after} after`);
  }

  // Quiet points

  /** Nothing happens any more and every deadline is over. `result`: the query that lists everyone with everything. */
  quiet(result: Result, expected: ReadonlyMap<string, readonly ExpectedSession[]>, at: number): void {
    for (const [userId, value] of Object.entries(result)) {
      const wanted = expected.get(userId) ?? [];
      for (const row of rowsOf(value)) {
        const session = wanted.find(({ sessionId }) => sessionId === row.sessionId);
        if (session === undefined) {
          this.violated("I1", at, userId, `${row.sessionId} is a ghost`);
          continue;
        }
        for (const [field, want] of Object.entries(session.fields)) {
          if (!isDeepStrictEqual(row[field], want))
            this.violated(
              "I4",
              at,
              userId,
              `${field} of ${row.sessionId} is ${JSON.stringify(row[field])}, last said was ${JSON.stringify(want)}`,
            );
        }
      }
    }
    for (const [userId, sessions] of expected) {
      const value = Object.hasOwn(result, userId) ? result[userId] : undefined;
      const ids = new Set(value === undefined ? [] : rowsOf(value).map(({ sessionId }) => sessionId));
      for (const { sessionId } of sessions)
        if (!ids.has(sessionId)) this.violated("I2", at, userId, `${sessionId} is missing`);
    }
    for (const [sessionId, known] of this.#sessions)
      if (known.leftAt !== undefined) this.#sessions.delete(sessionId);
  }

  /** What somebody sees while all is quiet, beside what HTTP answers to the same filter. */
  compare(who: string, seen: Result, told: Result, at: number): void {
    const of = (result: Result, userId: string) =>
      Object.hasOwn(result, userId) ? result[userId] : undefined;
    for (const userId of new Set([...Object.keys(told), ...Object.keys(seen)])) {
      const [has, should] = [of(seen, userId), of(told, userId)];
      if (!isDeepStrictEqual(has, should))
        this.violated(
          "I4",
          at,
          userId,
          `${who}: sees ${JSON.stringify(has)}, a query ${JSON.stringify(should)}`,
        );
    }
  }

  note(at: number, userId: string | undefined, text: string): void {
    this.#events.push({ at, userId, text });
    if (this.#events.length > 2 * LATEST_EVENTS) this.#events = this.#events.slice(-LATEST_EVENTS);
  }

  /** The last events that concern a user: its own, and those that concern all. */
  history(userId: string | undefined, count: number): string[] {
    return this.#events
      .filter((event) => event.userId === undefined || event.userId === userId)
      .slice(-count)
      .map(({ at, text }) => `${(at / 1000).toFixed(3)} ${text}`);
  }

  violated(invariant: Invariant, at: number, userId: string | undefined, what: string): void {
    // Every observer would tell of the same.
    const key = `${invariant} ${userId} ${what.replace(/\d+ ms/, "")}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.violations.push({ invariant, at, userId, what });
    this.note(at, userId, `VIOLATION of ${invariant}: ${what}`);
  }

  #know(sessionId: string, userId: string): Known {
    let known = this.#sessions.get(sessionId);
    if (known === undefined) {
      const never = Number.POSITIVE_INFINITY;
      known = { userId, isHeld: false, mayLeaveFrom: never, by: never, leftAt: undefined, mayReturn: false };
      this.#sessions.set(sessionId, known);
    }
    return known;
  }
}
