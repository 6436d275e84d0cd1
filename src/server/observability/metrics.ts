import type { Cluster } from "../cluster/cluster.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import { createCounters, REFUSALS, type Refusal, type Telemetry } from "../gateway/telemetry.ts";
import type { Webhooks } from "../webhooks/webhooks.ts";
import { addClusterMetrics } from "./cluster-metrics.ts";
import type { MetricJson } from "./merged-metrics.ts";
import { type CounterInfo, MetricSet } from "./metric-set.ts";
import { TimeHistogram } from "./time-histogram.ts";
import { addWebhookMetrics } from "./webhook-metrics.ts";

export interface Metrics {
  readonly telemetry: Telemetry;
  /** The node whose state the gauges show. */
  observe(node: GatewayNode): void;
  /** Shows the state of a cluster too. */
  observeCluster(cluster: Cluster): void;
  /** Shows the webhooks of all apps too. */
  observeWebhooks(webhooks: Pick<Webhooks, "appIds" | "statuses">): void;
  /** Milliseconds from a change on this node until it came back from the log. */
  observeLag(ms: number): void;
  render(): Promise<{ contentType: string; text: string }>;
  /** The same for `MergedMetrics`. */
  readJson(): Promise<readonly MetricJson[]>;
}

/** The fields of `Telemetry` that are plain counts. */
type Count = { [Key in keyof Telemetry]: Telemetry[Key] extends number ? Key : never }[keyof Telemetry];

const COUNTERS = {
  diffs: { name: "diffs", help: "Number of diffs made since start." },
  deliveries: { name: "deliveries", help: "Number of diffs sent to subscribers since start." },
  lagged: {
    name: "lagged_readers",
    help: "Number of times since start that a subscriber fell behind and got a snapshot instead of diffs.",
  },
  slowReadersDisconnected: {
    name: "slow_readers_disconnected",
    help: "Number of connections ended since start because the client did not read.",
  },
  appReloads: {
    name: "app_reloads",
    help: "Number of times since start that the apps were read anew.",
  },
  appReloadFailures: {
    name: "app_reload_failures",
    help: "Number of times since start that the apps could not be read anew, and stayed as they were.",
  },
  jwksFetches: {
    name: "jwks_fetches",
    help: "Number of times since start that the keys of an identity provider (JWKS) were fetched.",
  },
  jwksFailures: {
    name: "jwks_failures",
    help: "Number of times since start that the keys of an identity provider (JWKS) could not be fetched.",
  },
} as const satisfies Readonly<Record<Count, CounterInfo>>;

type Presence = ReturnType<GatewayNode["presences"]> extends Iterable<infer Item> ? Item : never;

/**
 * The metrics of this node. Counts are plain numbers, and gauges are read from the node when somebody
 * scrapes; every set of labels is fixed. `onRefusal` and `onCrash` see each event, for the log.
 */
export function createMetrics(
  onRefusal: (refusal: Refusal, detail: string | undefined) => void,
  onCrash: (error: unknown) => void,
): Metrics {
  const metrics = new MetricSet();
  const { registry } = metrics;
  const refusals = Object.fromEntries(REFUSALS.map((refusal) => [refusal, 0])) as Record<Refusal, number>;
  let crashes = 0;
  const diffDelay = new TimeHistogram(
    "presence_diff_delay_seconds",
    "Seconds from the first event of a diff until the diff is sent.",
    registry,
  );
  const query = new TimeHistogram("presence_query_seconds", "Seconds to evaluate a query.", registry);
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

  metrics.counters(COUNTERS, telemetry);
  metrics.labelledCounter(
    { name: "messages_in", help: "Number of messages from clients since start, by type." },
    "type",
    telemetry.messages,
  );
  metrics.labelledCounter(
    { name: "refusals", help: "Number of refusals since start, by reason." },
    "reason",
    refusals,
  );
  metrics.counter(
    { name: "handler_crashes", help: "Number of exceptions caught in handlers since start: defects." },
    () => crashes,
  );

  let node: GatewayNode | undefined;
  const sum = (value: (presence: Presence) => number) => {
    let total = 0;
    for (const presence of node?.presences() ?? []) total += value(presence);
    return total;
  };
  metrics.counter(
    {
      name: "coalesced_events",
      help: "Number of events since start that share a diff with an earlier event.",
    },
    () => node?.coalescedChanges ?? 0,
  );
  metrics.gauge("connections", "Open WebSockets and event streams.", () => node?.admissions.connections ?? 0);
  metrics.gauge("sockets", "Open WebSockets.", () => sum((presence) => presence.sockets));
  metrics.gauge("users", "Users who are online.", () => sum((presence) => presence.table.counts().users));
  metrics.gauge("views", "Views with a subscriber.", () => sum((presence) => presence.views));
  metrics.gauge("subscriptions", "Subscriptions, on WebSockets and event streams.", () =>
    sum((presence) => presence.subscriptions),
  );
  metrics.labelledGauge("sessions", "Sessions by kind: visible widgets, and all others.", "kind", {
    widget: () => sum((presence) => presence.table.counts().widgets),
    background: () => sum((presence) => presence.table.counts().backgroundSessions),
  });

  let lag: TimeHistogram | undefined;
  let rendering: Promise<{ contentType: string; text: string }> | undefined;
  return {
    telemetry,
    observe: (observed) => {
      node = observed;
    },
    observeCluster: (cluster) => {
      lag = new TimeHistogram(
        "presence_cluster_lag_seconds",
        "Seconds from a change on this node until it came back from Redis.",
        registry,
      );
      addClusterMetrics(metrics, cluster);
    },
    observeWebhooks: (webhooks) => addWebhookMetrics(metrics, webhooks),
    observeLag: (ms) => lag?.observe(ms / 1000),
    readJson: () => metrics.readJson(),
    render: () => {
      // Rendering takes milliseconds: all scrapes meanwhile get the same text.
      rendering ??= registry
        .metrics()
        .then((text) => ({ contentType: registry.contentType, text }))
        .finally(() => {
          rendering = undefined;
        });
      return rendering;
    },
  };
}
