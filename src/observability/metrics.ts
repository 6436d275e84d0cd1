import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Hub } from "../gateway/hub.ts";
import {
  createCounters,
  type MESSAGE_TYPES,
  REFUSALS,
  type Refusal,
  type Telemetry,
} from "../gateway/telemetry.ts";
import { TimeHistogram } from "./time-histogram.ts";

export interface Metrics {
  readonly telemetry: Telemetry;
  /** The hub whose state the gauges show. */
  observe(hub: Hub): void;
  render(): Promise<{ contentType: string; text: string }>;
}

/**
 * Counts are plain numbers and gauges are read from the hub when somebody asks; every label set is fixed. `onRefusal`
 * and `onCrash` see each event, for the log.
 */
export function createMetrics(
  onRefusal: (refusal: Refusal, detail: string | undefined) => void,
  onCrash: (error: unknown) => void,
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const refusals = Object.fromEntries(REFUSALS.map((refusal) => [refusal, 0])) as Record<Refusal, number>;
  let crashes = 0;
  let hub: Hub | undefined;

  const diffDelay = new TimeHistogram(
    "presence_diff_delay_seconds",
    "From the first event of a diff to its sending.",
    registry,
  );
  const query = new TimeHistogram("presence_query_seconds", "Time to evaluate a query.", registry);
  const telemetry: Telemetry = {
    ...createCounters(),
    refused(refusal, detail) {
      refusals[refusal]++;
      onRefusal(refusal, detail);
    },
    crashed(error) {
      crashes++;
      onCrash(error);
    },
    observeDiffDelay: (ms) => diffDelay.observe(ms / 1000),
    observeQuery: (ms) => query.observe(ms / 1000),
  };

  collectDefaultMetrics({ prefix: "presence_", register: registry });

  const counter = (name: string, help: string, value: () => number) => {
    new Counter({
      name: `presence_${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  };
  const labelled = <Label extends string>(
    name: string,
    help: string,
    label: string,
    values: Record<Label, number>,
  ) => {
    new Counter({
      name: `presence_${name}_total`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const value of Object.keys(values) as Label[]) this.inc({ [label]: value }, values[value]);
      },
    });
  };
  const sum = (
    value: (tenant: ReturnType<Hub["tenants"]> extends Iterable<infer T> ? T : never) => number,
  ) => {
    let total = 0;
    for (const tenant of hub?.tenants() ?? []) total += value(tenant);
    return total;
  };
  const gauge = (name: string, help: string, value: () => number) => {
    new Gauge({
      name: `presence_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };

  gauge("connections", "Open WebSockets and event streams.", () => hub?.admissions.connections ?? 0);
  gauge("sockets", "Open WebSockets.", () => sum((tenant) => tenant.sockets));
  gauge("users", "Users who are online.", () => sum((tenant) => tenant.table.counts().users));
  gauge("views", "Views with a subscriber.", () => sum((tenant) => tenant.views));
  gauge("subscriptions", "Subscriptions, on WebSockets and event streams.", () =>
    sum((tenant) => tenant.subscriptions),
  );
  new Gauge({
    name: "presence_sessions",
    help: "Sessions by kind: visible widgets, and all others.",
    labelNames: ["kind"],
    registers,
    collect() {
      this.set(
        { kind: "widget" },
        sum((tenant) => tenant.table.counts().widgets),
      );
      this.set(
        { kind: "background" },
        sum((tenant) => tenant.table.counts().backgroundSessions),
      );
    },
  });
  labelled(
    "messages_in",
    "Messages from clients, by type.",
    "type",
    telemetry.messages satisfies Record<(typeof MESSAGE_TYPES)[number], number>,
  );
  labelled("refusals", "What was refused, by reason.", "reason", refusals);
  counter("diffs", "Diffs made.", () => telemetry.diffs);
  counter("deliveries", "Diffs sent to subscribers.", () => telemetry.deliveries);
  counter("folded_events", "Events that went into a diff with an earlier one.", () =>
    sum((tenant) => tenant.foldedEvents),
  );
  counter(
    "lagged_readers",
    "Times that a subscriber fell behind and got a snapshot instead.",
    () => telemetry.lagged,
  );
  counter("cut_readers", "Connections ended because they did not read.", () => telemetry.cut);
  counter("handler_crashes", "Exceptions caught in a handler: defects.", () => crashes);

  return {
    telemetry,
    observe: (observed) => {
      hub = observed;
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
