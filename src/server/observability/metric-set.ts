import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricJson } from "./merged-metrics.ts";
import { EVENT_LOOP_TICK_MS } from "./process-health.ts";

/** Gauges of the library that end as only counters may. Each is the sum of another one over its labels. */
const MISNAMED = [
  "presence_nodejs_active_handles_total",
  "presence_nodejs_active_requests_total",
  "presence_nodejs_active_resources_total",
] as const;

/** Name and help text of a counter, without the prefix of all names and the ending of counters. */
export interface CounterInfo {
  readonly name: string;
  readonly help: string;
}

/** A value of a metric with labels. */
export interface LabelledValue<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

/**
 * The Prometheus metrics of this process. Every value is a plain number, which is read at each scrape.
 */
export class MetricSet {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  constructor() {
    collectDefaultMetrics({
      prefix: "presence_",
      register: this.registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_TICK_MS,
    });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
  }

  /** All metrics as they are now. */
  async readJson(): Promise<readonly MetricJson[]> {
    return (await this.registry.getMetricsAsJSON()) as unknown as readonly MetricJson[];
  }

  counter({ name, help }: CounterInfo, value: () => number): void {
    new Counter({
      name: `presence_${name}_total`,
      help,
      registers: this.#registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  /** A counter for each of the fields of `infos`, which shows the field of that name of `values`. */
  counters<Infos extends Readonly<Record<string, CounterInfo>>>(
    infos: Infos,
    values: Readonly<Record<keyof Infos, number>>,
  ): void {
    for (const [field, info] of Object.entries(infos)) this.counter(info, () => values[field]!);
  }

  /** One counter with a label. The values of the label are the keys of `values`, and fixed. */
  labelledCounter<Label extends string>(
    { name, help }: CounterInfo,
    label: string,
    values: Readonly<Record<Label, number>>,
  ): void {
    new Counter({
      name: `presence_${name}_total`,
      help,
      labelNames: [label],
      registers: this.#registers,
      collect() {
        this.reset();
        for (const value of Object.keys(values) as Label[]) this.inc({ [label]: value }, values[value]);
      },
    });
  }

  gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name: `presence_${name}`,
      help,
      registers: this.#registers,
      collect() {
        this.set(value());
      },
    });
  }

  /** One gauge with a label, whose values are the keys of `values`. */
  labelledGauge(
    name: string,
    help: string,
    label: string,
    values: Readonly<Record<string, () => number>>,
  ): void {
    new Gauge({
      name: `presence_${name}`,
      help,
      labelNames: [label],
      registers: this.#registers,
      collect() {
        for (const [value, read] of Object.entries(values)) this.set({ [label]: value }, read());
      },
    });
  }

  /** A counter with labels whose values may change: it shows those that `read` returns at a scrape. */
  counterOfEach<Label extends string>(
    { name, help }: CounterInfo,
    labelNames: readonly Label[],
    read: () => readonly LabelledValue<Label>[],
  ): void {
    new Counter({
      name: `presence_${name}_total`,
      help,
      labelNames,
      registers: this.#registers,
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
  }

  /** The same for a gauge. */
  gaugeOfEach<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => readonly LabelledValue<Label>[],
  ): void {
    new Gauge({
      name: `presence_${name}`,
      help,
      labelNames,
      registers: this.#registers,
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }
}
