import { Ring } from "./ring.ts";

/** What is counted once a second; null while it is not known. */
export interface Sample {
  readonly online: number | null;
  readonly focused: number | null;
  readonly typing: number | null;
  readonly diffsPerSecond: number | null;
}
export type Measure = keyof Sample;

export const HISTORY_SECONDS = 15 * 60;

/** The samples of the last quarter of an hour. */
export class History {
  readonly #ring = new Ring<readonly [seconds: number, sample: Sample]>(HISTORY_SECONDS);

  push(seconds: number, sample: Sample): void {
    this.#ring.push([seconds, sample]);
  }

  clear(): void {
    this.#ring.clear();
  }

  /** The newest value of a measure. */
  last(measure: Measure): number | null {
    return this.#ring.last?.[1][measure] ?? null;
  }

  /** Times and values of one measure, for a chart; what is older than the time shown is left out. */
  series(measure: Measure, now: number): [number[], (number | null)[]] {
    const samples = this.#ring.toArray().filter(([seconds]) => seconds >= now - HISTORY_SECONDS);
    return [samples.map(([seconds]) => seconds), samples.map(([, sample]) => sample[measure])];
  }
}
