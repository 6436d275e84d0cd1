import type { Command, Entry, LogStatus, Position, ScanBatch } from "./log.ts";
import type { QuorumTracker } from "./quorum-tracker.ts";

/** Why all rows are read. */
export const RESYNC_REASONS = [
  /** This node has just begun. */
  "start",
  /** Entries are missing between two that were read. */
  "gap",
  /** The log does not have the entry that was read last: it was trimmed, emptied, or is an older copy. */
  "log_changed",
  /** A change was refused, and nothing that was read says why. */
  "refused",
  /** What this node wrote did not come back to it. */
  "not_read_back",
  /** Redis was lost while the rows were read. */
  "interrupted",
  /** A defect showed while something was taken in, so nobody knows what of it was. */
  "defect",
] as const;
export type ResyncReason = (typeof RESYNC_REASONS)[number];

/** What becomes of what was read. None of it throws: what fails is told by `doubt`. */
export interface ReaderTarget {
  apply(entry: Entry, now: number): void;
  /** All rows will come now, at least as new as this look, each once or more; then what happened meanwhile; then `loaded`. */
  loading(look: LogStatus, reason: ResyncReason): void;
  row(row: ScanBatch["rows"][number], now: number): void;
  loaded(now: number): void;
  badInput(): void;
}

type State =
  | { readonly at: "unlinked" }
  /** Finds out whether the log still has the entry that was read last. */
  | { readonly at: "looking"; readonly from: number; isAsked: boolean }
  | Loading
  | { readonly at: "following" };

interface Loading {
  readonly at: "loading";
  /** Where the scan of the rows goes on; undefined: it is over. */
  next: string | undefined;
  isAsked: boolean;
  /** How far the log has to be read until it is as new as the rows. */
  until: number | undefined;
  kept: Entry[];
  keptFacts: number;
  keptChars: number;
}

const NOTHING_KEPT = () => ({ kept: [] as Entry[], keptFacts: 0, keptChars: 0 });

const RETRY_MS = 1_000;
/** What waits until the rows have been read. If it is more, it is applied before, and the tables may go back and forth. */
const MAX_KEPT_FACTS = 20_000;
const MAX_KEPT_CHARS = 16 * 1024 * 1024;
/** Where all rows were read and a defect shows again, twice as long passes each time until the next try, up to 64 s. */
const MAX_DOUBTS = 6;
const CALM_MS = 120_000;

/**
 * The reading half: entries in their order, each once, and never silently less. When some are missing, or the log is
 * another one than before, all rows are read anew.
 */
export class Reader {
  readonly #target: ReaderTarget;
  readonly #touch: QuorumTracker;
  #state: State = { at: "unlinked" };
  #position: Position | undefined;
  /** What tells the entry at the position from another one that came to have its name; undefined: it was not read. */
  #mark: string | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  /** Why all rows are to be read, while they are. */
  #reason: ResyncReason = "start";
  /** When all rows are to be read because of a defect; undefined: there was none since they were. */
  #doubtDueAt: number | undefined;
  #doubts = 0;
  /** When entries last came. */
  readAt = Number.NEGATIVE_INFINITY;

  constructor(target: ReaderTarget, touch: QuorumTracker) {
    this.#target = target;
    this.#touch = touch;
  }

  get isFollowing(): boolean {
    return this.#state.at === "following";
  }

  /** Whether something that was read was not taken in as it should be. */
  get isInDoubt(): boolean {
    return this.#doubtDueAt !== undefined;
  }

  /** How many entries have been read, or done without. */
  get count(): number {
    return this.#position?.count ?? 0;
  }

  /** After which entry the log is to be read; undefined: not now. */
  get after(): string | undefined {
    const { at } = this.#state;
    return at === "following" || at === "loading" ? this.#position?.id : undefined;
  }

  linked(now: number): void {
    this.#state = { at: "looking", from: now, isAsked: false };
  }

  unlinked(now: number): void {
    if (this.#state.at === "loading") {
      this.#position = undefined;
      this.#reason = "interrupted";
    }
    this.#state = { at: "unlinked" };
    this.#touch.lost(now);
  }

  /** Reads all rows, as what was read so far is not what it should be. */
  restart(now: number, reason: ResyncReason): void {
    if (this.#state.at !== "following" && this.#state.at !== "loading") return;
    this.#position = undefined;
    this.#reason = reason;
    this.#touch.lost(now);
    this.#state = { at: "looking", from: Math.max(now, this.#loadedAt + RETRY_MS), isAsked: false };
  }

  /** What was read may not have been taken in: all rows are to be read. Until then it goes on with what comes. */
  doubt(now: number): void {
    if (this.#doubtDueAt !== undefined) return;
    if (now - this.#loadedAt > CALM_MS) this.#doubts = 0;
    this.#doubtDueAt = Math.max(now, this.#loadedAt + RETRY_MS * 2 ** this.#doubts);
    this.#touch.lost(now);
  }

  /** What comes after the last entry cannot be read: it is gone without, if the rows can be. */
  skip(): void {
    this.#position = undefined;
    this.#reason = "gap";
  }

  step(commands: Command[], now: number): void {
    if (this.#doubtDueAt !== undefined && now >= this.#doubtDueAt && this.#state.at === "following") {
      this.#doubts = Math.min(this.#doubts + 1, MAX_DOUBTS);
      this.restart(now, "defect");
    }
    const state = this.#state;
    if (state.at === "looking" && !state.isAsked && now >= state.from) {
      state.isAsked = true;
      commands.push({ do: "readStatus", at: this.#position?.id });
    } else if (state.at === "loading" && !state.isAsked) {
      state.isAsked = true;
      commands.push(
        state.next === undefined ? { do: "readStatus", at: undefined } : { do: "scan", from: state.next },
      );
    }
  }

  statusRead(look: LogStatus, now: number): void {
    const { end, found } = look;
    const state = this.#state;
    if (state.at === "loading") {
      state.until = end.count;
      this.#finish(state, now);
    } else if (this.#isThere(found) && end.count >= this.count) {
      this.#follow(now);
    } else {
      this.#position = end;
      this.#mark = undefined;
      this.#loadedAt = now;
      this.#doubtDueAt = undefined;
      this.#state = { at: "loading", next: "0", isAsked: false, until: undefined, ...NOTHING_KEPT() };
      this.#target.loading(look, this.#reason);
    }
  }

  scanned(page: ScanBatch, now: number): void {
    const state = this.#state;
    if (state.at !== "loading") return;
    state.next = page.next;
    state.isAsked = false;
    for (const row of page.rows) this.#target.row(row, now);
  }

  /** `after`: which entry was asked for. */
  read(after: string, entries: readonly Entry[], now: number): void {
    if (after !== this.after) return;
    if (entries.length > 0) this.readAt = now;
    for (const entry of entries) {
      // What the last one brought may have made it begin anew.
      if (this.#position === undefined) return;
      const { count } = this.#position;
      this.#mark = markOf(entry);
      if (entry.kind === "bad") {
        this.#target.badInput();
        this.#position = { count, id: entry.id };
      } else if (entry.count === count + 1) {
        this.#position = { count: entry.count, id: entry.id };
        if (this.#state.at === "loading") this.#keep(this.#state, entry, now);
        else this.#target.apply(entry, now);
      } else {
        return this.restart(now, "gap");
      }
    }
    if (this.#state.at === "loading") this.#finish(this.#state, now);
  }

  /** Whether what the log has at the position is what this node has read there. */
  #isThere(found: Entry | undefined): boolean {
    if (this.#position === undefined || found === undefined) return false;
    return this.#mark === undefined || this.#mark === markOf(found);
  }

  #keep(state: Loading, entry: Entry, now: number): void {
    state.kept.push(entry);
    const records = entry.kind === "batch" ? entry.records : [];
    state.keptFacts += 1 + records.length / 2;
    for (const text of records) state.keptChars += text.length;
    if (state.keptFacts > MAX_KEPT_FACTS || state.keptChars > MAX_KEPT_CHARS) this.#applyKept(state, now);
  }

  #applyKept(state: Loading, now: number): void {
    const { kept } = state;
    Object.assign(state, NOTHING_KEPT());
    for (const entry of kept) this.#target.apply(entry, now);
  }

  #finish(state: Loading, now: number): void {
    if (state.until === undefined || this.count < state.until) return;
    // In one go, so that nobody is shown what is older than the rows.
    this.#applyKept(state, now);
    if (this.#state !== state) return;
    this.#target.loaded(now);
    this.#follow(now);
  }

  #follow(now: number): void {
    this.#state = { at: "following" };
    this.#reason = "log_changed";
    this.readAt = now;
    if (!this.isInDoubt) this.#touch.reached(now);
  }
}

function markOf(entry: Entry): string {
  if (entry.kind === "bad") return entry.kind;
  const writer = "writer" in entry ? entry.writer : "";
  return `${entry.kind} ${entry.count} ${writer} ${entry.kind === "batch" ? entry.seq : ""}`;
}
