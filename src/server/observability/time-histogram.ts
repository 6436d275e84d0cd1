import type { Histogram, Registry } from "prom-client";

/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * A histogram of times for a registry of prom-client. Its own takes a microsecond to observe one, which is a good part
 * of what is measured here.
 */
export class TimeHistogram {
  readonly name: string;
  readonly help: string;
  /** By bucket; the last are those beyond all bounds. */
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0);
  #sum = 0;

  constructor(name: string, help: string, registry: Registry) {
    this.name = name;
    this.help = help;
    registry.registerMetric(this as unknown as Histogram);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += seconds;
  }

  /** What a registry asks for. */
  async get(): Promise<object> {
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
    return { name: this.name, help: this.help, type: "histogram", values, aggregator: "sum" };
  }
}
