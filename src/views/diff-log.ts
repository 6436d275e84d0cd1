/** A change of a view from `version - 1` to `version`, encoded as every subscriber gets it. */
export interface Diff {
  readonly version: number;
  readonly text: string;
}

export const MAX_DIFFS = 256;
export const MAX_DIFF_CHARS = 256 * 1024;

/** The last diffs of a view, bounded in number and size, for subscribers that come back. */
export class DiffLog {
  readonly #diffs: Diff[] = [];
  #chars = 0;

  push(diff: Diff): void {
    this.#diffs.push(diff);
    this.#chars += diff.text.length;
    while (this.#diffs.length > MAX_DIFFS || this.#chars > MAX_DIFF_CHARS) {
      this.#chars -= this.#diffs.shift()!.text.length;
    }
  }

  /** The diffs that lead from `version` to `current`; undefined when one of them is no longer, or was never, there. */
  since(version: number, current: number): readonly Diff[] | undefined {
    const missed = current - version;
    if (missed < 0 || missed > this.#diffs.length) return undefined;
    return this.#diffs.slice(this.#diffs.length - missed);
  }
}
