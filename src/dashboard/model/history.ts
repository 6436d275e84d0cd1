import { Ring } from "./ring.ts";

/** Figures taken once a second. A figure is null while the page is not connected. */
export interface Sample {
  readonly online: number | null;
  readonly focused: number | null;
  readonly typing: number | null;
  /** Changes that the gateway sent per second. */
  readonly changesPerSecond: number | null;
}
export type Measure = keyof Sample;

export const HISTORY_SECONDS = 15 * 60;
/** The shortest time axis of a chart. */
const SHORTEST_SECONDS = 30;
const MARKS = 20;
const UNKNOWN: Sample = { online: null, focused: null, typing: null, changesPerSecond: null };

/** The samples of the last 15 minutes. */
export class History {
  readonly #ring = new Ring<readonly [seconds: number, sample: Sample]>(HISTORY_SECONDS);
  readonly #marks = new Ring<number>(MARKS);

  push(seconds: number, sample: Sample): void {
    this.#ring.push([seconds, sample]);
  }

  /** Interrupts the lines and marks the time: samples from here on are about another filter. */
  mark(seconds: number): void {
    this.push(seconds, UNKNOWN);
    this.#marks.push(seconds);
  }

  /** The times of the latest marks, in seconds, oldest first. */
  get marks(): readonly number[] {
    return this.#marks.toArray();
  }

  /** The ends of the time axis, in seconds. The axis grows with the samples until it has 15 minutes. */
  axis(now: number): readonly [from: number, to: number] {
    const first = Math.max(this.#ring.first?.[0] ?? now, now - HISTORY_SECONDS);
    return [Math.min(first, now - SHORTEST_SECONDS), now];
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
