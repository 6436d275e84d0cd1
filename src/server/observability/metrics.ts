import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Cluster } from "../cluster/cluster.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
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
  observe(hub: GatewayNode): void;
  /** Shows the state of a cluster too. */
  observeCluster(cluster: Cluster): void;
  /** How long a change of this node took until it came back from the log. */
  observeLag(ms: number): void;
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
  let hub: GatewayNode | undefined;

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
    value: (tenant: ReturnType<GatewayNode["presences"]> extends Iterable<infer T> ? T : never) => number,
  ) => {
    let total = 0;
    for (const tenant of hub?.presences() ?? []) total += value(tenant);
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
    sum((tenant) => tenant.coalescedChanges),
  );
  counter(
    "lagged_readers",
    "Times that a subscriber fell behind and got a snapshot instead.",
    () => telemetry.lagged,
  );
  counter(
    "cut_readers",
    "Connections ended because they did not read.",
    () => telemetry.slowReadersDisconnected,
  );
  counter("handler_crashes", "Exceptions caught in a handler: defects.", () => crashes);

  let lag: TimeHistogram | undefined;
  const observeCluster = (cluster: Cluster) => {
    const { counts } = cluster;
    lag = new TimeHistogram(
      "presence_cluster_lag_seconds",
      "From a change on this node until it came back from Redis.",
      registry,
    );
    gauge(
      "cluster_nodes",
      "Nodes of the cluster that are alive, this one among them.",
      () => cluster.liveRemoteNodes + 1,
    );
    gauge("cluster_degraded", "1 while this node cannot tell whether it shows what all others do.", () =>
      cluster.isDegraded ? 1 : 0,
    );
    counter("cluster_degraded_seconds", "Time for which it could not.", () => cluster.degradedMs / 1000);
    counter(
      "cluster_batches",
      "Batches of changes sent to Redis, signs of life among them.",
      () => counts.batches,
    );
    counter("cluster_changes_out", "Changes in them.", () => counts.ops);
    counter(
      "cluster_entries",
      "Entries of the log that were read, own ones among them.",
      () => counts.entries,
    );
    counter("cluster_changes_in", "Changes in them.", () => counts.records);
    counter("cluster_gaps", "Times that entries between two were missed.", () => counts.resyncs.gap);
    labelled("cluster_resyncs", "Times that all rows were read, by reason.", "reason", counts.resyncs);
    counter("cluster_bad_input", "What was read from Redis and left out.", () => counts.badInputs);
    counter(
      "cluster_failures",
      "Defects that showed while something was taken in or told.",
      () => counts.failures,
    );
    gauge("cluster_redis_full", "1 while Redis has no room for what the nodes have to say.", () =>
      cluster.isRedisFull ? 1 : 0,
    );
    counter("cluster_joins", "Times that this node joined the cluster.", () => counts.joins);
    counter("cluster_expulsions", "Times that it was taken for dead, or forgotten.", () => counts.expulsions);
    counter("cluster_nodes_lost", "Nodes that went, or were declared dead.", () => counts.nodesLost);
    counter(
      "cluster_nodes_declared_dead",
      "Those of them that nothing was heard of for their lease.",
      () => counts.nodesDeclaredDead,
    );
    gauge(
      "cluster_lease_seconds",
      "What is left of this node's lease: from 0 on others may declare it dead.",
      () => cluster.leaseLeftMs / 1000,
    );
    counter(
      "cluster_disconnections",
      "Times that the connection to Redis was lost.",
      () => counts.disconnections,
    );
  };

  let rendering: Promise<{ contentType: string; text: string }> | undefined;
  /** To render takes milliseconds: those who ask meanwhile get the same text. */
  const render = () => {
    rendering ??= registry
      .metrics()
      .then((text) => ({ contentType: registry.contentType, text }))
      .finally(() => {
        rendering = undefined;
      });
    return rendering;
  };

  return {
    telemetry,
    observe: (observed) => {
      hub = observed;
    },
    observeCluster,
    observeLag: (ms) => lag?.observe(ms / 1000),
    render,
  };
}
