import { createHistogram } from "node:perf_hooks";
import type { Figures } from "./scenario.ts";

/** How long things took, to the microsecond. */
export class Latencies {
  readonly #micros = createHistogram();

  add(ms: number): void {
    // A histogram begins at 1.
    this.#micros.record(Math.max(1, Math.round(ms * 1_000)));
  }

  /** Milliseconds that half, and all but a hundredth, of them took at most. */
  figures(what: string): Figures {
    return {
      [`${what}, ms p50`]: this.#micros.percentile(50) / 1_000,
      [`${what}, ms p99`]: this.#micros.percentile(99) / 1_000,
    };
  }
}
