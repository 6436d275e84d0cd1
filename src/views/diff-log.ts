/** A change of a view from `version - 1` to `version`, encoded as every subscriber gets it. */
export interface Diff {
  readonly version: number;
  readonly text: string;
}

export const MAX_DIFFS = 256;
export const MAX_DIFF_CHARS = 256 * 1024;
/** The rings of all views of an app together, in bytes as `DiffLog` estimates them. */
export const MAX_RING_BYTES = 32 * 1024 * 1024;
/** A diff's object, its place in the list, and the head of its text. */
const DIFF_BYTES = 64;
/** Rings over their share are cut to this part of it, so that they are all looked at once for many diffs. */
const CUT_TO = 0.75;

/** The last diffs of a view, bounded in number and size, for subscribers that come back. */
export class DiffLog {
  readonly #rings: DiffRings | undefined;
  readonly #diffs: Diff[] = [];
  #chars = 0;

  /** `rings`: told of what this one keeps, and may cut it. */
  constructor(rings?: DiffRings) {
    this.#rings = rings;
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
    this.#rings?.grown(this, this.bytes - before);
  }

  /**
   * Forgets the oldest diffs until no more than so many bytes are kept. Returns how many bytes that freed.
   */
  cutTo(bytes: number): number {
    const before = this.bytes;
    while (this.bytes > bytes) this.#shift();
    return before - this.bytes;
  }

  /** The diffs that lead from `version` to `current`; undefined when one of them is no longer, or was never, there. */
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
 * bounded by itself only. When they go over it, those above their fair share are cut; who comes back to one
 * gets a snapshot.
 */
export class DiffRings {
  readonly #maxBytes: number;
  /** Rings that keep a diff. */
  readonly #filled = new Set<DiffLog>();
  #bytes = 0;

  constructor(maxBytes = MAX_RING_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Rings that keep a diff; zero when all views are gone. */
  get size(): number {
    return this.#filled.size;
  }

  /** A ring keeps so many bytes more, or less. */
  grown(ring: DiffLog, bytes: number): void {
    this.#bytes += bytes;
    if (ring.bytes > 0) this.#filled.add(ring);
    else this.#filled.delete(ring);
    if (this.#bytes <= this.#maxBytes) return;
    const share = this.#maxBytes / this.#filled.size;
    for (const each of this.#filled) {
      if (each.bytes > share) this.#bytes -= each.cutTo(CUT_TO * share);
      if (each.bytes === 0) this.#filled.delete(each);
    }
  }

  /** The view of a ring is dropped. */
  remove(ring: DiffLog): void {
    if (this.#filled.delete(ring)) this.#bytes -= ring.bytes;
  }
}
