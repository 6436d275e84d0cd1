/** A change of a view from `version - 1` to `version`. */
export interface Diff {
  readonly version: number;
  /** What is kept for it, in UTF-16 units. */
  readonly length: number;
  /** Encodes it with whole values. */
  whole(): string;
  /** The same with patches in place of whole values. Undefined: `whole` is what all subscribers get. */
  readonly patch: string | undefined;
}

export const MAX_DIFFS = 256;
export const MAX_DIFF_CHARS = 256 * 1024;
/** The limit for the diff logs of all views of an app together, in bytes as `DiffLog` estimates them. */
export const MAX_DIFF_LOG_BYTES = 32 * 1024 * 1024;
/** Estimated bytes of a diff besides its characters: its objects, its place in the list, a string header. */
const DIFF_BYTES = 160;

/** The latest diffs of a view, bounded in number and size, for subscribers that resume. */
export class DiffLog {
  readonly #budget: DiffLogBudget | undefined;
  readonly #diffs: Diff[] = [];
  #chars = 0;

  /** `budget`: the shared budget, which may trim this log. */
  constructor(budget?: DiffLogBudget) {
    this.#budget = budget;
  }

  /** Estimated bytes that the log keeps. */
  get bytes(): number {
    return this.#chars + DIFF_BYTES * this.#diffs.length;
  }

  push(diff: Diff): void {
    const before = this.bytes;
    this.#diffs.push(diff);
    this.#chars += diff.length;
    while (this.#diffs.length > MAX_DIFFS || this.#chars > MAX_DIFF_CHARS) this.#shift();
    this.#budget?.onResize(this, this.bytes - before);
  }

  /** Drops the oldest diffs until the log keeps at most `bytes`. Returns how many bytes that frees. */
  trimTo(bytes: number): number {
    const before = this.bytes;
    while (this.bytes > bytes) this.#shift();
    return before - this.bytes;
  }

  /** The diffs that lead from `version` to `current`; undefined if the log does not have all of them. */
  since(version: number, current: number): readonly Diff[] | undefined {
    const missed = current - version;
    if (missed < 0 || missed > this.#diffs.length) return undefined;
    return this.#diffs.slice(this.#diffs.length - missed);
  }

  #shift(): void {
    this.#chars -= this.#diffs.shift()!.length;
  }
}

/**
 * The diff logs of all views of an app, which share one budget in bytes. Within the budget, each log is
 * limited only by itself. Beyond it, the largest logs are cut in half until the budget holds again, so a log
 * within its fair share loses nothing. A client that resumes from a log that was cut gets a snapshot.
 */
export class DiffLogBudget {
  readonly #maxBytes: number;
  /**
   * Logs that hold a diff, by the number of binary digits of their bytes, so that the largest is found
   * without a search.
   */
  readonly #bySize: Set<DiffLog>[] = Array.from({ length: 33 }, () => new Set());
  #bytes = 0;

  constructor(maxBytes = MAX_DIFF_LOG_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many logs hold a diff; zero when all views are gone. */
  get size(): number {
    return this.#bySize.reduce((sum, logs) => sum + logs.size, 0);
  }

  /**
   * A log has grown by `bytes`, or shrunk if negative. Trims the largest logs while the budget is exceeded.
   */
  onResize(log: DiffLog, bytes: number): void {
    this.#move(log, log.bytes - bytes, log.bytes);
    for (let size = 32; this.#bytes > this.#maxBytes; ) {
      const [largest] = this.#bySize[size]!;
      if (largest === undefined) size--;
      else {
        const before = largest.bytes;
        largest.trimTo(Math.floor(before / 2));
        this.#move(largest, before, largest.bytes);
      }
    }
  }

  /** The view of a log was dropped. */
  remove(log: DiffLog): void {
    if (this.#bySize[digits(log.bytes)]!.has(log)) this.#move(log, log.bytes, 0);
  }

  #move(log: DiffLog, before: number, after: number): void {
    this.#bytes += after - before;
    const [from, to] = [digits(before), digits(after)];
    if (from === to) return;
    this.#bySize[from]!.delete(log);
    if (after > 0) this.#bySize[to]!.add(log);
  }
}

function digits(bytes: number): number {
  return 32 - Math.clz32(bytes);
}
