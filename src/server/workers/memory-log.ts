import { Deadlines } from "../../core/collections/deadlines.ts";
import type {
  AppendReply,
  CommandOf,
  Entry,
  JoinReply,
  LogStatus,
  Op,
  OpKind,
  ScanBatch,
  ScannedRow,
} from "../cluster/log.ts";
import { isOfProfile, parseRecord } from "../cluster/record.ts";
import { ScannedMap } from "./scanned-map.ts";

export interface MemoryLogOptions {
  /** How many entries it keeps at most, and how many bytes they may take. */
  readonly maxLength: number;
  readonly maxLogBytes: number;
  /** How many bytes rows and profiles may take. */
  readonly maxRowBytes: number;
  /** How many profiles it keeps. */
  readonly maxProfiles: number;
}

export interface MemoryLogSizes {
  readonly entries: number;
  readonly logBytes: number;
  readonly rows: number;
  readonly profiles: number;
  readonly rowBytes: number;
  readonly writers: number;
}

/** Bounds of a reply: entries or rows, and about how much text. */
const MAX_ENTRIES_A_READ = 64;
const MAX_ROWS_A_SCAN = 1_000;
const MAX_REPLY_CHARS = 1024 * 1024;
/** How many writers the register keeps as evicted. Nodes remove them long before there are so many. */
const MAX_EVICTED = 1_024;
/** How many profiles whose time is over one batch removes at most. */
const MAX_REMOVED_PROFILES = 1_000;
/** Entries that were trimmed leave a gap at the beginning, which is closed when it is this long. */
const MAX_GAP = 1_024;

/** More than V8 uses for an entry, for each text in it and for a row, beside two bytes for each character. */
const ENTRY_BYTES = 320;
const TEXT_BYTES = 32;
const ROW_BYTES = 320;
const CHAR_BYTES = 2;

/** Begins the cursor of a scan that has come to the profiles. */
const OF_PROFILES = "profiles ";

interface Row {
  readonly owner: string;
  readonly text: string;
}

interface ProfileRow extends Row {
  readonly version: number;
}

interface Registration {
  readonly seq: number | undefined;
  readonly leaseMs: number;
  readonly nodeId: string;
}

interface KeptEntry {
  readonly entry: Entry;
  readonly bytes: number;
}

/**
 * A log in the memory of this process, with the rules of log.ts. All that it keeps is bounded; when rows and
 * profiles take all of their bytes, it is full as a Redis without memory is. It knows no clock.
 */
export class MemoryLog {
  readonly #options: MemoryLogOptions;
  readonly #rows = new ScannedMap<Row>();
  readonly #profiles = new ScannedMap<ProfileRow>();
  /** When the time of each profile is over, in milliseconds since 1970. */
  readonly #keptUntil = new Deadlines<string>();
  #rowBytes = 0;
  readonly #register = new Map<string, Registration>();
  /** The writers in the register that are evicted, the first one first. */
  readonly #evicted = new Set<string>();
  /** By node id, its last writer. */
  readonly #writers = new Map<string, string>();
  #count = 0;
  /** The last entries, behind a gap of `#gap` that were trimmed. */
  #entries: (KeptEntry | undefined)[] = [];
  #gap = 0;
  #logBytes = 0;
  /** The first writer that joined. */
  #id: string | undefined;

  constructor(options: MemoryLogOptions) {
    this.#options = options;
  }

  get sizes(): MemoryLogSizes {
    return {
      entries: this.#length,
      logBytes: this.#logBytes,
      rows: this.#rows.size,
      profiles: this.#profiles.size,
      rowBytes: this.#rowBytes,
      writers: this.#register.size,
    };
  }

  readStatus({ at }: CommandOf<"readStatus">): LogStatus {
    const count = at === undefined ? undefined : countOf(at);
    return {
      end: { count: this.#count, id: idOf(this.#count) },
      found: count === undefined ? undefined : this.#entries[this.#indexOf(count)]?.entry,
      register: Array.from(this.#register, ([writer, registration]) => ({ writer, ...registration })),
    };
  }

  /** @throws Error if `from` is no cursor, see `isCursor`. */
  scan({ from }: CommandOf<"scan">): ScanBatch {
    const cursor = parseCursor(from);
    if (cursor === undefined) throw new Error(`${JSON.stringify(from)} is no cursor of a scan`);
    // First the rows, then the profiles.
    const { isOfProfiles, behind } = cursor;
    const rows: ScannedRow[] = [];
    let chars = 0;
    const take = (sessionId: string, { owner, text }: Row): boolean => {
      rows.push({ sessionId, owner, text });
      chars += sessionId.length + text.length;
      return rows.length < MAX_ROWS_A_SCAN && chars < MAX_REPLY_CHARS;
    };
    const next = (isOfProfiles ? this.#profiles : this.#rows).scan(behind, take);
    if (isOfProfiles) return { next: next === undefined ? undefined : `${OF_PROFILES}${next}`, rows };
    return { next: next === undefined ? `${OF_PROFILES}0` : String(next), rows };
  }

  /** The entries after the one with this id, as many as fit into a reply. */
  read(after: string): Entry[] {
    const entries: Entry[] = [];
    const count = countOf(after);
    if (count === undefined || count >= this.#count) return entries;
    let chars = 0;
    // What was trimmed is missing, which the reader finds out from the counts.
    for (let i = Math.max(this.#gap, this.#indexOf(count) + 1); i < this.#entries.length; i++) {
      const { entry } = this.#entries[i]!;
      entries.push(entry);
      chars += charsIn(entry);
      if (entries.length === MAX_ENTRIES_A_READ || chars >= MAX_REPLY_CHARS) break;
    }
    return entries;
  }

  /** Whether there are entries after the one with this id. */
  hasAfter(after: string): boolean {
    const count = countOf(after);
    return count !== undefined && count < this.#count;
  }

  join({ writer, leaseMs, nodeId, formerly }: CommandOf<"join">): JoinReply {
    const holder = this.#writers.get(nodeId);
    if (holder !== undefined && !formerly.includes(holder) && this.isAlive(holder))
      return { ok: false, holder };
    for (const name of formerly) this.drop(name);
    this.#register.set(writer, { seq: 0, leaseMs, nodeId });
    this.#evicted.delete(writer);
    this.#writers.set(nodeId, writer);
    const count = this.#count + 1;
    this.#add({ id: idOf(count), kind: "join", count, writer, leaseMs, nodeId }, []);
    this.#id ??= writer;
    return { ok: true, logId: this.#id };
  }

  /** `wallNow`: milliseconds since 1970. */
  append({ writer, seq, ops }: CommandOf<"append">, wallNow: number): AppendReply {
    const registration = this.#register.get(writer);
    if (registration === undefined) return { count: this.#count, seq: undefined, isForgotten: true };
    if (registration.seq === undefined) return { count: this.#count, seq: undefined };
    if (registration.seq + 1 !== seq) return { count: this.#count, seq: registration.seq };
    this.#register.set(writer, { ...registration, seq });
    const isFull = this.#rowBytes + bytesOfRows(ops) > this.#options.maxRowBytes;
    const records: string[] = [];
    let hasProfiles = false;
    for (const op of ops) {
      if (isFull && !isEnd(op.kind)) continue;
      if (!this.#do(writer, op, wallNow)) continue;
      records.push(op.sessionId, op.text);
      hasProfiles ||= op.kind === "profile";
    }
    if (hasProfiles) this.#removeProfiles(wallNow);
    const count = this.#count + 1;
    // Without the room that a list has to grow.
    const entry = { id: idOf(count), kind: "batch", count, writer, seq, records: records.slice() } as const;
    this.#add(isFull ? { ...entry, isFull } : entry, records);
    return isFull ? { count, seq, isFull } : { count, seq };
  }

  evict({ writer, seq }: CommandOf<"evict">): boolean {
    const registration = this.#register.get(writer);
    // An evicted writer has no number, and cannot be evicted again.
    if (registration === undefined ? seq !== undefined : (registration.seq ?? Number.NaN) !== seq)
      return false;
    this.#evict(writer);
    return true;
  }

  /** Evicts a writer if it is alive, whatever it has written. */
  drop(writer: string): void {
    if (this.isAlive(writer)) this.#evict(writer);
  }

  forget({ writer }: CommandOf<"forget">): void {
    if (!this.#evicted.delete(writer)) return;
    const { nodeId } = this.#register.get(writer)!;
    this.#register.delete(writer);
    if (this.#writers.get(nodeId) === writer) this.#writers.delete(nodeId);
  }

  isAlive(writer: string): boolean {
    return this.#register.get(writer)?.seq !== undefined;
  }

  get #length(): number {
    return this.#entries.length - this.#gap;
  }

  /** Where the entry of that count is, if it is kept. */
  #indexOf(count: number): number {
    return this.#entries.length - 1 - (this.#count - count);
  }

  #evict(writer: string): void {
    const { leaseMs = 0, nodeId = "" } = this.#register.get(writer) ?? {};
    this.#register.set(writer, { seq: undefined, leaseMs, nodeId });
    this.#evicted.add(writer);
    const [oldest] = this.#evicted;
    if (this.#evicted.size > MAX_EVICTED) this.forget({ do: "forget", writer: oldest! });
    const count = this.#count + 1;
    this.#add({ id: idOf(count), kind: "evict", count, writer }, []);
  }

  #do(writer: string, op: Op, wallNow: number): boolean {
    if (op.kind === "profile") return this.#writeProfile(writer, op, wallNow);
    const { kind, sessionId, text } = op;
    const row = this.#rows.get(sessionId);
    if (kind !== "takeover" && kind !== "forceEnd") {
      const isFree = row === undefined || row.owner === writer || !this.isAlive(row.owner);
      if (!isFree || (kind === "patch" && row === undefined)) return false;
    }
    if (row !== undefined) this.#rowBytes -= bytesOfRow(sessionId, row.text);
    if (isEnd(kind)) this.#rows.delete(sessionId);
    else {
      this.#rows.set(sessionId, { owner: writer, text });
      this.#rowBytes += bytesOfRow(sessionId, text);
    }
    return true;
  }

  #writeProfile(writer: string, { sessionId: key, text }: Op, wallNow: number): boolean {
    const record = parseRecord(text);
    if (record === undefined || !isOfProfile(record)) return false;
    const [, , , , version, keptUntil] = record.parts;
    if (!Number.isSafeInteger(version) || !Number.isSafeInteger(keptUntil)) return false;
    const before = this.#profiles.get(key);
    const isKept = before !== undefined && this.#keptUntil.get(key)! > wallNow;
    if (isKept && (version as number) <= before.version) return false;
    if (before !== undefined) this.#rowBytes -= bytesOfRow(key, before.text);
    this.#profiles.set(key, { owner: writer, text, version: version as number });
    this.#rowBytes += bytesOfRow(key, text);
    this.#keptUntil.set(key, keptUntil as number);
    return true;
  }

  /** Removes profiles whose time is over, and those that would go first if there are too many. */
  #removeProfiles(wallNow: number): void {
    this.#keptUntil.forEachDue(wallNow, MAX_REMOVED_PROFILES, (key) => this.#removeProfile(key));
    while (this.#profiles.size > this.#options.maxProfiles) {
      // None is due before that time, but it may be the time of one that was written again since.
      const key = this.#keptUntil.takeDue(this.#keptUntil.nextDueAt()!);
      if (key !== undefined) this.#removeProfile(key);
    }
  }

  #removeProfile(key: string): void {
    this.#rowBytes -= bytesOfRow(key, this.#profiles.get(key)!.text);
    this.#profiles.delete(key);
  }

  #add(entry: Entry, texts: readonly string[]): void {
    let bytes = ENTRY_BYTES;
    for (const text of texts) bytes += TEXT_BYTES + CHAR_BYTES * text.length;
    this.#count++;
    this.#entries.push({ entry, bytes });
    this.#logBytes += bytes;
    const { maxLength, maxLogBytes } = this.#options;
    while (this.#length > 1 && (this.#length > maxLength || this.#logBytes > maxLogBytes)) {
      this.#logBytes -= this.#entries[this.#gap]!.bytes;
      this.#entries[this.#gap++] = undefined;
    }
    if (this.#gap < MAX_GAP) return;
    this.#entries = this.#entries.slice(this.#gap);
    this.#gap = 0;
  }
}

export function isCursor(text: string): boolean {
  return parseCursor(text) !== undefined;
}

function parseCursor(text: string): { readonly isOfProfiles: boolean; readonly behind: number } | undefined {
  const isOfProfiles = text.startsWith(OF_PROFILES);
  const behind = parseCount(isOfProfiles ? text.slice(OF_PROFILES.length) : text);
  return behind === undefined ? undefined : { isOfProfiles, behind };
}

function isEnd(kind: OpKind): boolean {
  return kind === "end" || kind === "forceEnd";
}

function bytesOfRow(key: string, text: string): number {
  return ROW_BYTES + CHAR_BYTES * (key.length + text.length);
}

/** The most that these operations can add. */
function bytesOfRows(ops: readonly Op[]): number {
  let bytes = 0;
  for (const { kind, sessionId, text } of ops) if (!isEnd(kind)) bytes += bytesOfRow(sessionId, text);
  return bytes;
}

/** How much text is in an entry, in UTF-16 units. */
export function charsIn(entry: Entry): number {
  let chars = 0;
  if (entry.kind === "batch") for (const text of entry.records) chars += text.length;
  return chars;
}

/** Ids have the form that they have in Redis. */
function idOf(count: number): string {
  return `${count}-0`;
}

function countOf(id: string): number | undefined {
  return id.endsWith("-0") ? parseCount(id.slice(0, -2)) : undefined;
}

function parseCount(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
