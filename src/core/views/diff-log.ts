/** A change of a view from `version - 1` to `version`, encoded as every subscriber gets it. */
export interface Diff {
  readonly version: number;
  readonly text: string;
}

export const MAX_DIFFS = 256;
export const MAX_DIFF_CHARS = 256 * 1024;
/** The rings of all views of an app together, in bytes as `DiffLog` estimates them. */
export const MAX_DIFF_LOG_BYTES = 32 * 1024 * 1024;
/** A diff's object, its place in the list, and the head of its text. */
const DIFF_BYTES = 64;
/** The last diffs of a view, bounded in number and size, for subscribers that come back. */
export class DiffLog {
  readonly #budget: DiffLogBudget | undefined;
  readonly #diffs: Diff[] = [];
  #chars = 0;

  /** `rings`: told of what this one keeps, and may cut it. */
  constructor(logs?: DiffLogBudget) {
    this.#budget = logs;
  }

  /** About what is kept. */
  get bytes(): number {
    return this.#chars + DIFF_BYTES * this.#diffs.length;
  }

  push(diff: Diff): void {
    const before = this.bytes;
    this.#diffs.push(diff);
    this.#chars += diff.text.length;
    while (this.#diffs.length > MAX_DIFFS || this.#chars > MAX_DIFF_CHARS) this.#shift();
    this.#budget?.onResize(this, this.bytes - before);
  }

  /**
   * Forgets the oldest diffs until no more than so many bytes are kept. Returns how many bytes that freed.
   */
  trimTo(bytes: number): number {
    const before = this.bytes;
    while (this.bytes > bytes) this.#shift();
    return before - this.bytes;
  }

  /**
   * The diffs that lead from `version` to `current`; undefined when one of them is no longer, or was never,
   * there.
   */
  since(version: number, current: number): readonly Diff[] | undefined {
    const missed = current - version;
    if (missed < 0 || missed > this.#diffs.length) return undefined;
    return this.#diffs.slice(this.#diffs.length - missed);
  }

  #shift(): void {
    this.#chars -= this.#diffs.shift()!.text.length;
  }
}

/**
 * The rings of all views of an app, which share one budget in bytes. While they are within it, each is
 * bounded by itself only. When they go over it, the largest ones are cut in half until they are within it
 * again, so a ring that is within its fair share loses nothing. A client that comes back to a ring that was
 * cut gets a snapshot.
 */
export class DiffLogBudget {
  readonly #maxBytes: number;
  /**
   * Rings that keep a diff, by the number of binary digits of their bytes: the largest are found without a
   * search.
   */
  readonly #bySize: Set<DiffLog>[] = Array.from({ length: 33 }, () => new Set());
  #bytes = 0;

  constructor(maxBytes = MAX_DIFF_LOG_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Rings that keep a diff; zero when all views are gone. */
  get size(): number {
    return this.#bySize.reduce((sum, logs) => sum + logs.size, 0);
  }

  /** A ring keeps so many bytes more, or less. */
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

  /** The view of a ring is dropped. */
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
