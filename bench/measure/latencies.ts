import { createHistogram } from "node:perf_hooks";
import type { Figures } from "./scenario.ts";

/** Collects durations with a resolution of a microsecond. */
export class Latencies {
  readonly #micros = createHistogram();

  add(ms: number): void {
    // The smallest value of a histogram is 1.
    this.#micros.record(Math.max(1, Math.round(ms * 1_000)));
  }

  /** The median and the 99th percentile, in milliseconds. */
  figures(what: string): Figures {
    return {
      [`${what}, ms p50`]: this.#micros.percentile(50) / 1_000,
      [`${what}, ms p99`]: this.#micros.percentile(99) / 1_000,
    };
  }
}
