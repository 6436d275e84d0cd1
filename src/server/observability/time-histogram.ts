import type { Registry } from "prom-client";
import { type CustomMetric, registerCustomMetric } from "../internals/custom-metric.ts";

/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** A histogram of times, cheaper to observe than the one of prom-client. */
export class TimeHistogram implements CustomMetric {
  readonly name: string;
  readonly help: string;
  /** By bucket; the last are those beyond all bounds. */
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0);
  #sum = 0;

  constructor(name: string, help: string, registry: Registry) {
    this.name = name;
    this.help = help;
    registerCustomMetric(registry, this);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += seconds;
  }

  async get(): ReturnType<CustomMetric["get"]> {
    let count = 0;
    const buckets = this.#counts.map((inBucket, i) => {
      count += inBucket;
      return { metricName: `${this.name}_bucket`, labels: { le: BOUNDS[i] ?? "+Inf" }, value: count };
    });
    const values = [
      ...buckets,
      { metricName: `${this.name}_sum`, labels: {}, value: this.#sum },
      { metricName: `${this.name}_count`, labels: {}, value: count },
    ];
    return {
      name: this.name,
      help: this.help,
      type: "histogram" as const,
      values,
      aggregator: "sum" as const,
    };
  }
}
