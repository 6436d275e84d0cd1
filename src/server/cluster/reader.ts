import type { Command, Entry, LogStatus, Position, ScanBatch, ScannedRow } from "./log.ts";
import type { Reachability } from "./reachability.ts";

/** Why all rows are read. */
export const RESYNC_REASONS = [
  /** This node has just started. */
  "start",
  /** Entries are missing between two that were read. */
  "gap",
  /** The log does not have the entry that was read last: it was trimmed, emptied, or is an older copy. */
  "log_changed",
  /** The log refused a change, and nothing that was read explains why. */
  "refused",
  /** This node did not read back what it wrote. */
  "not_read_back",
  /** The connection to Redis was lost while the rows were read. */
  "interrupted",
  /** This node serves more apps, whose sessions it has left out until now. */
  "apps_added",
  /** A defect has shown while something was taken in, so it is unknown how much of it was. */
  "defect",
] as const;
export type ResyncReason = (typeof RESYNC_REASONS)[number];

/** Takes what was read. None of its methods throws: it reports a failure by `Reader.doubt`. */
export interface ReaderTarget {
  apply(entry: Entry, now: number): void;
  /**
   * All rows follow, each at least once and at least as new as this status; then the entries since; then
   * `loaded`.
   */
  loading(status: LogStatus, reason: ResyncReason): void;
  row(row: ScannedRow, now: number): void;
  loaded(now: number): void;
  badInput(): void;
}

type State =
  | { readonly at: "unlinked" }
  /** Finds out whether the log still has the entry that was read last. */
  | { readonly at: "checking"; readonly from: number; isAsked: boolean }
  | Loading
  | { readonly at: "following" };

interface Loading {
  readonly at: "loading";
  /** Where the scan of the rows continues; undefined: it is complete. */
  next: string | undefined;
  isAsked: boolean;
  /** How far the log has to be read until it is as new as the rows. */
  until: number | undefined;
  deferred: Entry[];
  deferredRecords: number;
  deferredChars: number;
}

const NOTHING_DEFERRED = () => ({ deferred: [] as Entry[], deferredRecords: 0, deferredChars: 0 });

const RETRY_MS = 1_000;
/**
 * How much is deferred until all rows have been read. Beyond it, entries are applied earlier, and some
 * sessions may go back and forth.
 */
const MAX_DEFERRED_RECORDS = 20_000;
const MAX_DEFERRED_CHARS = 16 * 1024 * 1024;
/** If a defect shows again after all rows were read, the time until the next try doubles, up to 64 s. */
const MAX_DOUBTS = 6;
const CALM_MS = 120_000;

/**
 * The reading half of a replicator: entries in their order, each once, and never silently fewer. If some are
 * missing, or the log is not the same as before, it reads all rows again.
 */
export class Reader {
  readonly #target: ReaderTarget;
  readonly #reachability: Reachability;
  #state: State = { at: "unlinked" };
  #position: Position | undefined;
  /**
   * Tells the entry at the position from another one that got the same id; undefined: that entry was not
   * read.
   */
  #mark: string | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  /** Why all rows will be read, or are being read. */
  #reason: ResyncReason = "start";
  /** When all rows have to be read because of a defect; undefined: none has shown since they were read. */
  #doubtDueAt: number | undefined;
  #doubts = 0;
  /** When entries came last. */
  readAt = Number.NEGATIVE_INFINITY;

  constructor(target: ReaderTarget, reachability: Reachability) {
    this.#target = target;
    this.#reachability = reachability;
  }

  get isFollowing(): boolean {
    return this.#state.at === "following";
  }

  /** Whether something that was read may not have been taken in. */
  get isInDoubt(): boolean {
    return this.#doubtDueAt !== undefined;
  }

  /** The count of the last entry that was read or skipped. */
  get count(): number {
    return this.#position?.count ?? 0;
  }

  /** The id of the entry after which the log has to be read; undefined: not now. */
  get after(): string | undefined {
    const { at } = this.#state;
    return at === "following" || at === "loading" ? this.#position?.id : undefined;
  }

  linked(now: number): void {
    this.#state = { at: "checking", from: now, isAsked: false };
  }

  unlinked(now: number): void {
    if (this.#state.at === "loading") {
      this.#position = undefined;
      this.#reason = "interrupted";
    }
    this.#state = { at: "unlinked" };
    this.#reachability.lost(now);
  }

  /** Starts to read all rows, as what was read so far is wrong or incomplete. */
  restart(now: number, reason: ResyncReason): void {
    if (this.#state.at !== "following" && this.#state.at !== "loading") return;
    this.#position = undefined;
    this.#reason = reason;
    this.#reachability.lost(now);
    this.#state = { at: "checking", from: Math.max(now, this.#loadedAt + RETRY_MS), isAsked: false };
  }

  /** This node serves more apps, so it reads all rows, now or once it can. */
  appsAdded(now: number): void {
    this.restart(now, "apps_added");
    if (this.#position === undefined) return;
    this.#position = undefined;
    this.#reason = "apps_added";
  }

  /**
   * Something that was read may not have been taken in, so all rows will be read. Until then it goes on
   * reading.
   */
  doubt(now: number): void {
    if (this.#doubtDueAt !== undefined) return;
    if (now - this.#loadedAt > CALM_MS) this.#doubts = 0;
    this.#doubtDueAt = Math.max(now, this.#loadedAt + RETRY_MS * 2 ** this.#doubts);
    this.#reachability.lost(now);
  }

  /** The entries after the last one cannot be read, so all rows are read instead. */
  skipUnreadable(): void {
    this.#position = undefined;
    this.#reason = "gap";
  }

  step(commands: Command[], now: number): void {
    if (this.#doubtDueAt !== undefined && now >= this.#doubtDueAt && this.#state.at === "following") {
      this.#doubts = Math.min(this.#doubts + 1, MAX_DOUBTS);
      this.restart(now, "defect");
    }
    const state = this.#state;
    if (state.at === "checking" && !state.isAsked && now >= state.from) {
      state.isAsked = true;
      commands.push({ do: "readStatus", at: this.#position?.id });
    } else if (state.at === "loading" && !state.isAsked) {
      state.isAsked = true;
      commands.push(
        state.next === undefined ? { do: "readStatus", at: undefined } : { do: "scan", from: state.next },
      );
    }
  }

  statusRead(status: LogStatus, now: number): void {
    const { end, found } = status;
    const state = this.#state;
    if (state.at === "loading") {
      state.until = end.count;
      this.#finish(state, now);
    } else if (this.#isThere(found) && end.count >= this.count) {
      this.#startFollowing(now);
    } else {
      this.#position = end;
      this.#mark = undefined;
      this.#loadedAt = now;
      this.#doubtDueAt = undefined;
      this.#state = { at: "loading", next: "0", isAsked: false, until: undefined, ...NOTHING_DEFERRED() };
      this.#target.loading(status, this.#reason);
    }
  }

  scanned(batch: ScanBatch, now: number): void {
    const state = this.#state;
    if (state.at !== "loading") return;
    state.next = batch.next;
    state.isAsked = false;
    for (const row of batch.rows) this.#target.row(row, now);
  }

  /** `after`: the id after which these entries were asked for. */
  read(after: string, entries: readonly Entry[], now: number): void {
    if (after !== this.after) return;
    if (entries.length > 0) this.readAt = now;
    for (const entry of entries) {
      // The entry before may have led to reading all rows.
      if (this.#position === undefined) return;
      const { count } = this.#position;
      this.#mark = markOf(entry);
      if (entry.kind === "bad") {
        this.#target.badInput();
        this.#position = { count, id: entry.id };
      } else if (entry.count === count + 1) {
        this.#position = { count: entry.count, id: entry.id };
        if (this.#state.at === "loading") this.#defer(this.#state, entry, now);
        else this.#target.apply(entry, now);
      } else {
        return this.restart(now, "gap");
      }
    }
    if (this.#state.at === "loading") this.#finish(this.#state, now);
  }

  /** Whether the log has at the position what this node has read there. */
  #isThere(found: Entry | undefined): boolean {
    if (this.#position === undefined || found === undefined) return false;
    return this.#mark === undefined || this.#mark === markOf(found);
  }

  #defer(state: Loading, entry: Entry, now: number): void {
    state.deferred.push(entry);
    const records = entry.kind === "batch" ? entry.records : [];
    state.deferredRecords += 1 + records.length / 2;
    for (const text of records) state.deferredChars += text.length;
    if (state.deferredRecords > MAX_DEFERRED_RECORDS || state.deferredChars > MAX_DEFERRED_CHARS)
      this.#applyDeferred(state, now);
  }

  #applyDeferred(state: Loading, now: number): void {
    const { deferred } = state;
    Object.assign(state, NOTHING_DEFERRED());
    for (const entry of deferred) this.#target.apply(entry, now);
  }

  #finish(state: Loading, now: number): void {
    if (state.until === undefined || this.count < state.until) return;
    // Without a pause, so that no client is shown a state that is older than the rows.
    this.#applyDeferred(state, now);
    if (this.#state !== state) return;
    this.#target.loaded(now);
    this.#startFollowing(now);
  }

  #startFollowing(now: number): void {
    this.#state = { at: "following" };
    this.#reason = "log_changed";
    this.readAt = now;
    if (!this.isInDoubt) this.#reachability.reached(now);
  }
}

function markOf(entry: Entry): string {
  if (entry.kind === "bad") return entry.kind;
  const writer = "writer" in entry ? entry.writer : "";
  return `${entry.kind} ${entry.count} ${writer} ${entry.kind === "batch" ? entry.seq : ""}`;
}
