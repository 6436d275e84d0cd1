import { Ring } from "./ring.ts";

/** Figures taken once a second. A figure is null while the page is not connected. */
export interface Sample {
  readonly online: number | null;
  readonly focused: number | null;
  readonly typing: number | null;
  readonly diffsPerSecond: number | null;
}
export type Measure = keyof Sample;

export const HISTORY_SECONDS = 15 * 60;

/** The samples of the last 15 minutes. */
export class History {
  readonly #ring = new Ring<readonly [seconds: number, sample: Sample]>(HISTORY_SECONDS);

  push(seconds: number, sample: Sample): void {
    this.#ring.push([seconds, sample]);
  }

  clear(): void {
    this.#ring.clear();
  }

  /** The most recent value of a measure; null if it is unknown. */
  last(measure: Measure): number | null {
    return this.#ring.last?.[1][measure] ?? null;
  }

  /** Times (in seconds) and values of one measure, for a chart. Samples older than the chart are left out. */
  series(measure: Measure, now: number): [number[], (number | null)[]] {
    const samples = this.#ring.toArray().filter(([seconds]) => seconds >= now - HISTORY_SECONDS);
    return [samples.map(([seconds]) => seconds), samples.map(([, sample]) => sample[measure])];
  }
}
