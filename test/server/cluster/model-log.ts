import type {
  AppendReply,
  Command,
  Entry,
  JoinReply,
  LogStatus,
  Op,
  RegisteredWriter,
  ScanBatch,
} from "../../../src/server/cluster/log.ts";

interface Row {
  owner: string;
  text: string;
}

interface Registration {
  seq: number | undefined;
  leaseMs: number;
  nodeId: string;
}

interface State {
  count: number;
  rows: Map<string, Row>;
  profiles: Map<string, Row>;
  register: Map<string, Registration>;
  names: Map<string, string>;
  entries: Entry[];
  lastId: string;
  /** The first writer that joined. */
  logId: string | undefined;
}

/** The rules of log.ts in memory, and what can happen to a log. What Redis does is held against it. */
export class ModelLog {
  #state: State = empty();
  /** Ids rise, as the clock does that Redis takes them from. */
  #clock = 0;
  /** There is no room for more: what is done are ends, and heartbeats. */
  isFull = false;

  get rows(): ReadonlyMap<string, Row> {
    return this.#state.rows;
  }

  get profiles(): ReadonlyMap<string, Row> {
    return this.#state.profiles;
  }

  get register(): ReadonlyMap<string, Registration> {
    return this.#state.register;
  }

  get entries(): readonly Entry[] {
    return this.#state.entries;
  }

  readStatus({ at }: Extract<Command, { do: "readStatus" }>): LogStatus {
    const { count, entries, register, lastId } = this.#state;
    return {
      end: { count, id: lastId },
      found: entries.find(({ id }) => id === at),
      register: [...register].map(
        ([writer, registration]): RegisteredWriter => ({ writer, ...registration }),
      ),
    };
  }

  /**
   * As Redis does it: what is there all the time comes, whatever is put in and taken out between the pages.
   */
  scan({ from }: Extract<Command, { do: "scan" }>, size = 3): ScanBatch {
    const rows = [...this.#state.rows, ...this.#state.profiles]
      .map(([sessionId, row]) => ({ sessionId, ...row }))
      .filter(({ sessionId }) => sessionId > from)
      .sort((one, other) => (one.sessionId < other.sessionId ? -1 : 1));
    const page = rows.slice(0, size);
    return { next: page.length < rows.length ? page.at(-1)!.sessionId : undefined, rows: page };
  }

  read(after: string, max = Number.POSITIVE_INFINITY): Entry[] {
    const { entries } = this.#state;
    // Ids rise, and mostly little is new.
    let from = entries.length;
    while (from > 0 && isAfter(entries[from - 1]!.id, after)) from--;
    return entries.slice(from, from + max);
  }

  join({ writer, leaseMs, nodeId, formerly }: Extract<Command, { do: "join" }>): JoinReply {
    const { register, names } = this.#state;
    const holder = names.get(nodeId);
    if (holder !== undefined && !formerly.includes(holder) && this.#isAlive(holder))
      return { ok: false, holder };
    for (const name of formerly) if (this.#isAlive(name)) this.#evict(name);
    register.set(writer, { seq: 0, leaseMs, nodeId });
    names.set(nodeId, writer);
    this.#add((at) => ({ ...at, kind: "join", writer, leaseMs, nodeId }));
    this.#state.logId ??= writer;
    return { ok: true, logId: this.#state.logId };
  }

  append({ writer, seq, ops }: Extract<Command, { do: "append" }>): AppendReply {
    const registration = this.#state.register.get(writer);
    const { count } = this.#state;
    if (registration === undefined) return { count, seq: undefined, isForgotten: true };
    if (registration.seq === undefined) return { count, seq: undefined };
    let isFull = false;
    if (registration.seq + 1 === seq) {
      registration.seq = seq;
      const isEnd = ({ kind }: Op) => kind === "end" || kind === "forceEnd";
      isFull = this.isFull;
      const records = ops
        .filter((op) => !isFull || isEnd(op))
        .filter((op) => this.#do(writer, op))
        .flatMap(({ sessionId, text }) => [sessionId, text]);
      const entry = { kind: "batch", writer, seq, records } as const;
      this.#add((at) => ({ ...at, ...entry, ...(isFull ? { isFull } : {}) }));
    }
    const appended = { count: this.#state.count, seq: registration.seq };
    return isFull ? { ...appended, isFull } : appended;
  }

  evict({ writer, seq }: Extract<Command, { do: "evict" }>): boolean {
    const registration = this.#state.register.get(writer);
    if (registration !== undefined && (registration.seq === undefined || registration.seq !== seq))
      return false;
    if (registration === undefined && seq !== undefined) return false;
    this.#evict(writer);
    return true;
  }

  forget({ writer }: Extract<Command, { do: "forget" }>): void {
    const registration = this.#state.register.get(writer);
    if (registration === undefined || registration.seq !== undefined) return;
    this.#state.register.delete(writer);
    if (this.#state.names.get(registration.nodeId) === writer) this.#state.names.delete(registration.nodeId);
  }

  // What can happen

  /** The process of a node has ended. Redis does not notice. */
  killed(_name: string): void {}

  /** Only so many of the last entries are left. */
  trim(kept: number): void {
    this.#state.entries = kept === 0 ? [] : this.#state.entries.slice(-kept);
  }

  lose(): void {
    this.#state = empty();
  }

  /**
   * Returns what brings the log back to how it is now; `isClockBack`: with ids that have been there before.
   */
  save(): (isClockBack: boolean) => void {
    const saved = structuredClone(this.#state);
    const clock = this.#clock;
    return (isClockBack) => {
      this.#state = structuredClone(saved);
      if (isClockBack) this.#clock = clock;
    };
  }

  #do(writer: string, { kind, sessionId, text }: Op): boolean {
    const { rows, profiles } = this.#state;
    if (kind === "profile") {
      const before = profiles.get(sessionId);
      if (before !== undefined && versionOf(text) <= versionOf(before.text)) return false;
      profiles.set(sessionId, { owner: writer, text });
      return true;
    }
    const owner = rows.get(sessionId)?.owner;
    const isFree = owner === undefined || owner === writer || !this.#isAlive(owner);
    if (kind === "patch" ? owner === undefined || !isFree : (kind === "open" || kind === "end") && !isFree) {
      return false;
    }
    if (kind === "end" || kind === "forceEnd") rows.delete(sessionId);
    else rows.set(sessionId, { owner: writer, text });
    return true;
  }

  #isAlive(writer: string): boolean {
    return this.#state.register.get(writer)?.seq !== undefined;
  }

  #evict(writer: string): void {
    const { register } = this.#state;
    const { leaseMs = 0, nodeId = "" } = register.get(writer) ?? {};
    register.set(writer, { seq: undefined, leaseMs, nodeId });
    this.#add((at) => ({ ...at, kind: "evict", writer }));
  }

  #add(make: (at: { id: string; count: number }) => Entry): void {
    const id = `${++this.#clock}-0`;
    this.#state.entries.push(make({ id, count: ++this.#state.count }));
    this.#state.lastId = id;
  }
}

function empty(): State {
  return {
    count: 0,
    rows: new Map(),
    profiles: new Map(),
    register: new Map(),
    names: new Map(),
    entries: [],
    lastId: "0-0",
    logId: undefined,
  };
}

function versionOf(record: string): number {
  return JSON.parse(record)[4];
}

function isAfter(id: string, other: string): boolean {
  const [a, b] = [id.split("-").map(Number), other.split("-").map(Number)];
  return a[0]! > b[0]! || (a[0] === b[0] && a[1]! > b[1]!);
}
