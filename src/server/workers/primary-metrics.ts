import { MergedMetrics, type MetricJson } from "../observability/merged-metrics.ts";
import { MetricSet } from "../observability/metric-set.ts";

export interface PoolCounts {
  readonly ready: number;
  readonly restarts: number;
}

/** The metrics of all processes of this machine: of the workers, and of the first process. */
export class PrimaryMetrics {
  readonly #own = new MetricSet();
  readonly #merged = new MergedMetrics();

  constructor(workers: number, counts: () => PoolCounts) {
    this.#own.gauge("workers", "Processes that this gateway should have as workers.", () => workers);
    this.#own.gauge("workers_ready", "Workers that are ready.", () => counts().ready);
    this.#own.counter(
      { name: "worker_restarts", help: "Number of workers since start that ended and were started again." },
      () => counts().restarts,
    );
  }

  left(worker: number): void {
    this.#merged.left(worker);
  }

  /** `answers`: the metrics of the workers that have answered. */
  async render(answers: ReadonlyMap<number, unknown>): Promise<{ contentType: string; text: string }> {
    for (const [worker, metrics] of answers) {
      if (Array.isArray(metrics)) this.#merged.update(worker, metrics as MetricJson[]);
    }
    return await this.#merged.render(await this.#own.readJson());
  }
}
