import { AggregatorRegistry, type Registry } from "prom-client";

/** A metric as a registry gives it, in JSON. */
export interface MetricJson {
  readonly name: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values: readonly object[];
}

/** How values of several workers become one, where they are not added up. */
const NOT_ADDED_UP: Readonly<Record<string, "max" | "min" | "first">> = {
  // All workers know the same users and sessions.
  presence_users: "max",
  presence_sessions: "max",
  presence_cluster_nodes: "max",
  presence_cluster_degraded: "max",
  presence_cluster_degraded_seconds_total: "max",
  presence_cluster_redis_full: "max",
  presence_cluster_lease_seconds: "min",
  // Each of them reads what is read once.
  presence_app_reloads_total: "max",
  presence_webhook_behind_seconds: "max",
  presence_webhook_off: "max",
  // That of the first process, which comes first.
  presence_process_start_time_seconds: "first",
  // The slowest worker is the one that matters.
  presence_nodejs_eventloop_lag_seconds: "max",
  presence_nodejs_eventloop_lag_mean_seconds: "max",
  presence_nodejs_eventloop_lag_stddev_seconds: "max",
  presence_nodejs_eventloop_lag_p50_seconds: "max",
  presence_nodejs_eventloop_lag_p90_seconds: "max",
  presence_nodejs_eventloop_lag_p99_seconds: "max",
};

/**
 * The metrics of several workers as one text. A count never falls: a worker that does not answer has its last
 * counts, and one that is started again goes on from those of the processes before it.
 */
export class MergedMetrics {
  /** By worker. */
  readonly #last = new Map<number, readonly MetricJson[]>();
  /** By worker, what its processes that have ended have counted. */
  readonly #ended = new Map<number, readonly MetricJson[]>();

  /** These are the metrics of a worker now. */
  update(worker: number, metrics: readonly MetricJson[]): void {
    this.#last.set(worker, metrics);
  }

  /** The process of a worker has ended. Another one may have its number later. */
  left(worker: number): void {
    const counts = this.#metricsOf(worker).filter(isCount);
    this.#last.delete(worker);
    if (counts.length > 0) this.#ended.set(worker, counts);
  }

  /** The text of `/metrics`. `own`: the metrics of the first process. */
  async render(own: readonly MetricJson[]): Promise<{ contentType: string; text: string }> {
    const workers = new Set([...this.#last.keys(), ...this.#ended.keys()]);
    const lists = [own, ...Array.from(workers, (worker) => this.#metricsOf(worker))];
    const merged = merge(lists.map((metrics) => metrics.map(withAggregator)));
    return { contentType: merged.contentType, text: await merged.metrics() };
  }

  /** What a worker shows, with the counts of all processes that it has been. */
  #metricsOf(worker: number): readonly MetricJson[] {
    const last = this.#last.get(worker) ?? [];
    const ended = this.#ended.get(worker);
    // Added up here also where the highest worker counts: each of them must rise, so that the highest does.
    return ended === undefined ? last : metricsOf(merge([last, ended]));
  }
}

/** The library takes lists of metrics. Its types ask for less than that. */
function merge(lists: readonly (readonly MetricJson[])[]): Registry {
  return AggregatorRegistry.aggregate(lists as unknown as object[]);
}

function metricsOf(merged: Registry): readonly MetricJson[] {
  return merged.getMetricsAsArray().map((metric) => (metric as unknown as { get(): MetricJson }).get());
}

function withAggregator(metric: MetricJson): MetricJson {
  const aggregator = NOT_ADDED_UP[metric.name];
  return aggregator === undefined ? metric : { ...metric, aggregator };
}

function isCount({ type }: MetricJson): boolean {
  return type === "counter" || type === "histogram";
}
