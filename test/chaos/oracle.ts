import { isDeepStrictEqual } from "node:util";
import { Observer } from "./observer.ts";
import { type Result, rowsOf } from "./result.ts";

// The invariants of the system. Pure: it receives the actions of clients, the messages to observers and the
// HTTP responses, each with its time, and reports violations.

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9";

export interface Violation {
  readonly invariant: Invariant;
  readonly at: number;
  readonly userId: string | undefined;
  readonly what: string;
}

export interface OracleOptions {
  /** Texts that only data of other apps contains. */
  readonly foreignMarks: readonly string[];
  /** Secrets and tokens, or beginnings of them. */
  readonly canaries: readonly string[];
  /** Maximum difference between the clocks of the reporters, on a machine that is not late. */
  readonly toleranceMs: number;
}

export interface ExpectedSession {
  readonly sessionId: string;
  /** The known fields of the row. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is known of one session. */
interface Known {
  readonly userId: string;
  /** Its client confirmed it, so it may not leave before `mayLeaveFrom`. */
  isHeld: boolean;
  mayLeaveFrom: number;
  /** The latest time to leave. */
  by: number;
  /** When an observer saw it leave. */
  leftAt: number | undefined;
  /** Its node may be considered dead. When the node returns, its sessions return. */
  mayReturn: boolean;
}

const LEEWAY_MS = 5_000;
const AT_ONCE_MS = 1_000;
const LATEST_EVENTS = 20_000;
/** A delay of the machine can affect what is reported until this much later. */
const LATENESS_PERIOD_MS = 15_000;

export class ChaosOracle {
  readonly violations: Violation[] = [];
  readonly #options: OracleOptions;
  readonly #sessions = new Map<string, Known>();
  readonly #observers = new Set<Observer>();
  readonly #expiries = new Map<string, number>();
  readonly #told = new Set<string>();
  /** Sessions whose id stays the same when they end and begin again: those that are written over HTTP. */
  #recurring: ReadonlySet<string> = new Set();
  /** Delays of the machine in the last period, oldest first. */
  #delays: { readonly at: number; readonly ms: number }[] = [];
  /** The longest time that was allowed for delays of the machine. */
  mostAllowedMs = 0;
  #events: { readonly at: number; readonly userId: string | undefined; readonly text: string }[] = [];

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  // Actions of clients

  /** The gateway has just confirmed these sessions to the user's client. From now on they must stay. */
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
      this.record(at, userId, `holds ${sessionId}`);
    }
  }

  /** All known sessions of the user may leave from `from` on, and must have left by `by`. */
  mayLeave(userId: string, from: number, by = Number.POSITIVE_INFINITY): void {
    for (const [sessionId, known] of this.#sessions)
      if (known.userId === userId && known.leftAt === undefined) this.mayEnd(sessionId, from, by);
  }

  /**
   * Its node may be considered dead though it lives. From then on the session may leave, and return with the
   * node.
   */
  strand(sessionId: string, from: number): void {
    const known = this.#sessions.get(sessionId);
    if (known === undefined) return;
    known.mayReturn = true;
    if (known.leftAt === undefined) this.mayEnd(sessionId, from);
  }

  /** All users leave. */
  allMayLeave(from: number): void {
    for (const sessionId of this.#sessions.keys()) this.mayEnd(sessionId, from);
  }

  mayEnd(sessionId: string, from: number, by = Number.POSITIVE_INFINITY): void {
    const known = this.#sessions.get(sessionId);
    if (known === undefined) return;
    known.mayLeaveFrom = Math.min(known.mayLeaveFrom, from);
    known.by = by;
  }

  /** These sessions may end and begin again at any time. Only quiet points check them. */
  mayRecur(sessionIds: ReadonlySet<string>): void {
    this.#recurring = sessionIds;
  }

  /** The client closed the session, or a back end ended it. It must leave at once. */
  ended(sessionId: string, at: number): void {
    this.mayEnd(sessionId, at, at + AT_ONCE_MS + this.tolerance(at));
    const userId = this.#sessions.get(sessionId)?.userId;
    this.record(at, userId, `ended ${sessionId}`);
  }

  /** The gateway was paused for this long and could keep no promise meanwhile. */
  postpone(ms: number): void {
    for (const known of this.#sessions.values()) known.by += ms;
  }

  /** Another gateway took over and knows nothing, so everything starts again. */
  restarted(at: number): void {
    this.#sessions.clear();
    for (const observer of this.#observers) observer.forget();
    this.record(at, undefined, "the gateway was started again");
  }

  // Observations

  /**
   * A subscriber. With `seesAll` its filter lists every session, so its enters and leaves are checked against
   * the actions of clients.
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
    if (known.mayReturn || this.#recurring.has(sessionId)) known.leftAt = undefined;
    else if (known.leftAt !== undefined && at > known.leftAt + this.tolerance(at))
      this.violated("I3", at, userId, `${sessionId} came back after it had left`);
  }

  sessionLeft(sessionId: string, userId: string, at: number, cause: string | undefined): void {
    const known = this.#know(sessionId, userId);
    if (known.isHeld && at < known.mayLeaveFrom - this.tolerance(at)) {
      const early = Number.isFinite(known.mayLeaveFrom)
        ? `, ${Math.round(known.mayLeaveFrom - at)} ms too early`
        : "";
      this.violated("I2", at, userId, `${sessionId} left (${cause})${early}, though its client is there`);
    }
    // An observer that was cut off sees later what others have seen in time.
    if (known.leftAt === undefined && at > known.by + this.tolerance(at))
      this.violated("I1", at, userId, `${sessionId} left ${Math.round(at - known.by)} ms too late`);
    known.leftAt ??= at;
    this.record(at, userId, `${sessionId} left (${cause})`);
  }

  // The machine

  /**
   * The machine ran a process this much later than the process wanted to run. What is reported shortly
   * after may be as late, so deadlines have as much extra time. It never counts a delay of the gateway's own.
   */
  machineWasLate(ms: number, at: number): void {
    this.#delays = this.#delays.filter((delay) => delay.at > at - LATENESS_PERIOD_MS);
    this.#delays.push({ at, ms });
  }

  /** The maximum difference between reports, on this machine at this time. */
  tolerance(at: number): number {
    const recent = this.#delays.filter((delay) => delay.at > at - LATENESS_PERIOD_MS);
    const allowed = Math.max(0, ...recent.map(({ ms }) => ms));
    this.mostAllowedMs = Math.max(this.mostAllowedMs, allowed);
    // Each of two reports may be late, the one that sets a deadline and the one that is held against it.
    return this.#options.toleranceMs + 2 * allowed;
  }

  /** Messages and logs contain no data of another app and no secret. */
  output(where: string, text: string, at: number): void {
    for (const mark of this.#options.foreignMarks)
      if (text.includes(mark)) this.violated("I5", at, undefined, `${where} shows ${mark} of another app`);
    for (const canary of this.#options.canaries)
      if (text.includes(canary)) this.violated("I8", at, undefined, `${where} shows a secret`);
  }

  // Tokens

  /** The socket's token is valid until `exp` (ms). A refresh moves it. */
  expires(socket: string, exp: number): void {
    this.#expiries.set(socket, exp);
  }

  delivered(socket: string, at: number): void {
    const exp = this.#expiries.get(socket);
    if (exp === undefined || at <= exp + LEEWAY_MS + AT_ONCE_MS + this.tolerance(at)) return;
    this.violated("I9", at, undefined, `${socket} was sent something ${Math.round(at - exp)} ms after exp`);
  }

  // The node

  crashed(what: string, at: number): void {
    this.violated("I6", at, undefined, what);
  }

  /** Counters and handles, after all clients have left. */
  leftovers(name: string, before: number, after: number, allowed: number, at: number): void {
    if (after > before + allowed)
      this.violated("I7", at, undefined, `${name}: ${before} before, ${after} after`);
  }

  // Quiet points

  /** Nothing changes any more and every deadline is over. `result`: the query for all users with all data. */
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
          if (isDeepStrictEqual(row[field], want)) continue;
          const [is, last] = [JSON.stringify(row[field]), JSON.stringify(want)];
          this.violated(
            "I4",
            at,
            userId,
            `${field} of ${row.sessionId} is ${is}, the last update was ${last}`,
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

  /** Compares the state of an observer with the HTTP response to the same filter, while nothing changes. */
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

  record(at: number, userId: string | undefined, text: string): void {
    this.#events.push({ at, userId, text });
    if (this.#events.length > 2 * LATEST_EVENTS) this.#events = this.#events.slice(-LATEST_EVENTS);
  }

  /** The last events that affect a user: its own, and those that affect all. */
  history(userId: string | undefined, count: number): string[] {
    return this.#events
      .filter((event) => event.userId === undefined || event.userId === userId)
      .slice(-count)
      .map(({ at, text }) => `${(at / 1000).toFixed(3)} ${text}`);
  }

  violated(invariant: Invariant, at: number, userId: string | undefined, what: string): void {
    // Every observer would report the same.
    const key = `${invariant} ${userId} ${what.replace(/\d+ ms/, "")}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.violations.push({ invariant, at, userId, what });
    this.record(at, userId, `VIOLATION of ${invariant}: ${what}`);
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
