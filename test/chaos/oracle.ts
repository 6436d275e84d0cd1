import { isDeepStrictEqual } from "node:util";

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

interface Row {
  readonly sessionId: string;
  readonly [field: string]: unknown;
}
export interface Value {
  readonly widgets: readonly Row[];
  readonly backgroundSessions: readonly Row[];
}
export type Result = Readonly<Record<string, Value>>;

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

/** One subscription: rebuilds the result from what it is sent, and holds every message to the contract. */
export class Observer {
  readonly name: string;
  readonly #oracle: ChaosOracle;
  readonly #seesAll: boolean;
  #view: string | undefined;
  #version = 0;
  #data = new Map<string, Value>();
  /** The pages of a snapshot so far. */
  #pages: Map<string, Value> | undefined;
  /** It has lost its connection: a snapshot is what comes next, or `resumed`. */
  #isCut = true;
  diffs = 0;
  snapshots = 0;
  /** Called when it sees a user enter or leave. */
  onPresence: ((userId: string, isThere: boolean) => void) | undefined;

  constructor(oracle: ChaosOracle, name: string, seesAll: boolean) {
    this.#oracle = oracle;
    this.name = name;
    this.#seesAll = seesAll;
  }

  get data(): Result {
    return Object.assign(Object.create(null), Object.fromEntries(this.#data));
  }

  /** A frame, as it came. Frames about other things are looked at for secrets only. */
  received(text: string, at: number): void {
    this.#oracle.output(this.name, text, at);
    const message = JSON.parse(text);
    if (message.type === "snapshot") this.#snapshot(message, at);
    else if (message.type === "diff") this.#diff(message, at);
    else if (message.type === "resumed") this.#resumed(message, at);
  }

  /** Where it was, for `since`; undefined if it has nothing to go on from. */
  get position(): { readonly view: string; readonly version: number } | undefined {
    return this.#view === undefined ? undefined : { view: this.#view, version: this.#version };
  }

  /** Its connection is lost; what it knows may be old. */
  cut(): void {
    this.#isCut = true;
    this.#pages = undefined;
  }

  /** What it knew was of another gateway. */
  forget(): void {
    this.cut();
    this.#view = undefined;
    this.#data = new Map();
  }

  /** What HTTP answers to the same filter, while all is quiet. */
  compare(result: Result, at: number): void {
    const name = `${this.name} at version ${this.#version}`;
    if (this.#isCut) return this.#oracle.violated("I4", at, undefined, `${name}: has no snapshot`);
    this.#oracle.compare(name, Object.fromEntries(this.#data), result, at);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #snapshot({ view, version, data, more }: any, at: number): void {
    const isFirst = this.#pages === undefined;
    if (!isFirst && (view !== this.#view || version !== this.#version))
      this.#oracle.violated("I4", at, undefined, `${this.name}: a page of another state`);
    this.#pages ??= new Map();
    this.#view = view;
    this.#version = version;
    for (const [userId, value] of Object.entries(data)) this.#pages.set(userId, value as Value);
    if (more) return;
    const before = this.#data;
    this.#data = this.#pages;
    this.#pages = undefined;
    this.#isCut = false;
    this.snapshots++;
    for (const userId of new Set([...before.keys(), ...this.#data.keys()]))
      this.#changed(userId, before.get(userId), this.#data.get(userId), at, "snapshot");
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #resumed({ view, version }: any, at: number): void {
    if (view !== this.#view || version !== this.#version)
      this.#oracle.violated("I4", at, undefined, `${this.name}: resumed at a position that it was not at`);
    this.#isCut = false;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #diff({ view, version, data, causes }: any, at: number): void {
    const problem = (invariant: Invariant, what: string, userId?: string) =>
      this.#oracle.violated(invariant, at, userId, `${this.name}: ${what}`);
    if (this.#isCut) return problem("I4", "a diff before the snapshot");
    if (this.#pages !== undefined) problem("I4", "a diff between the pages of a snapshot");
    if (view !== this.#view) problem("I4", "a diff of another view");
    if (version !== this.#version + 1) problem("I4", `version ${this.#version}, then ${version}`);
    this.#version = version;
    this.diffs++;
    const changes = Object.entries(data) as [string, Value | null][];
    if (changes.length === 0) problem("I4", "an empty diff");
    for (const [userId, value] of changes) {
      const before = this.#data.get(userId);
      if (value === null) {
        if (before === undefined) problem("I3", "left, but was not there", userId);
        if (causes?.[userId] === undefined) problem("I3", "left without a cause", userId);
        this.#data.delete(userId);
      } else {
        if (isDeepStrictEqual(before, value)) problem("I4", "a change that changes nothing", userId);
        this.#data.set(userId, value);
      }
      this.#changed(userId, before, value ?? undefined, at, causes?.[userId]);
    }
  }

  #changed(
    userId: string,
    before: Value | undefined,
    after: Value | undefined,
    at: number,
    cause: string | undefined,
  ): void {
    const isThere = after !== undefined;
    if (isThere !== (before !== undefined)) this.onPresence?.(userId, isThere);
    if (!this.#seesAll) return;
    const now = new Set(after === undefined ? [] : rowsOf(after).map(({ sessionId }) => sessionId));
    const then = new Set(before === undefined ? [] : rowsOf(before).map(({ sessionId }) => sessionId));
    for (const sessionId of now) if (!then.has(sessionId)) this.#oracle.sessionSeen(sessionId, userId, at);
    for (const sessionId of then)
      if (!now.has(sessionId)) this.#oracle.sessionLeft(sessionId, userId, at, cause);
  }
}

export function rowsOf(value: Value): readonly Row[] {
  return [...value.backgroundSessions, ...value.widgets];
}
