import type { Histogram, Registry } from "prom-client";

/** One line of a metric. */
export interface MetricValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric that counts by itself, and is read at each scrape. */
export interface CustomMetric {
  readonly name: string;
  readonly help: string;
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: "histogram";
    readonly values: readonly MetricValue[];
    readonly aggregator: "sum";
  }>;
}

/**
 * Adds a metric of our own to a registry of prom-client.
 *
 * Relies on: a registry takes any object with a name, and calls its `get` when it renders. Its types ask for
 * one of its own classes.
 * Why: the library's histogram takes a microsecond to observe a value, which is a good part of what is
 * measured here.
 * Without it: rendering would fail, or leave the metric out.
 */
export function registerCustomMetric(registry: Registry, metric: CustomMetric): void {
  registry.registerMetric(metric as unknown as Histogram);
}
