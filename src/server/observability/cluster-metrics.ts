import type { Cluster, ClusterCounts } from "../cluster/cluster.ts";
import type { CounterInfo, MetricSet } from "./metric-set.ts";

const COUNTERS = {
  batches: {
    name: "cluster_batches",
    help: "Number of batches of changes sent to Redis since start, heartbeats included.",
  },
  ops: { name: "cluster_changes_out", help: "Number of changes sent to Redis since start." },
  entries: {
    name: "cluster_entries",
    help: "Number of log entries read from Redis since start, entries of this node included.",
  },
  records: { name: "cluster_changes_in", help: "Number of changes read from Redis since start." },
  badInputs: {
    name: "cluster_bad_input",
    help: "Number of log entries left out since start because they could not be read.",
  },
  failures: {
    name: "cluster_failures",
    help: "Number of exceptions since start while changes were applied or sent: defects.",
  },
  joins: { name: "cluster_joins", help: "Number of times that this node joined the cluster since start." },
  expulsions: {
    name: "cluster_expulsions",
    help: "Number of times that this node was declared dead, or forgotten by Redis, since start.",
  },
  nodesLost: {
    name: "cluster_nodes_lost",
    help: "Number of nodes that left or were declared dead since start.",
  },
  nodesDeclaredDead: {
    name: "cluster_nodes_declared_dead",
    help: "Number of nodes declared dead since start because their lease ended without a heartbeat.",
  },
  disconnections: {
    name: "cluster_disconnections",
    help: "Number of times that the connection to Redis was lost since start.",
  },
} as const satisfies Readonly<Record<Exclude<keyof ClusterCounts, "resyncs">, CounterInfo>>;

/** Adds the metrics of this node's part in a cluster. */
export function addClusterMetrics(metrics: MetricSet, cluster: Cluster): void {
  const { counts } = cluster;
  metrics.counters(COUNTERS, counts);
  metrics.counter(
    { name: "cluster_gaps", help: "Number of times that log entries were missed since start." },
    () => counts.resyncs.gap,
  );
  metrics.labelledCounter(
    { name: "cluster_resyncs", help: "Number of times that all rows were read since start, by reason." },
    "reason",
    counts.resyncs,
  );
  metrics.counter(
    {
      name: "cluster_degraded_seconds",
      help: "Number of seconds for which this node was degraded since start.",
    },
    () => cluster.degradedMs / 1000,
  );
  metrics.gauge(
    "cluster_nodes",
    "Nodes of the cluster that are alive, this one included.",
    () => cluster.liveRemoteNodes + 1,
  );
  metrics.gauge(
    "cluster_degraded",
    "1 while this node cannot tell whether it shows the same as the other nodes.",
    () => (cluster.isDegraded ? 1 : 0),
  );
  metrics.gauge("cluster_redis_full", "1 while Redis has no room for the changes of the nodes.", () =>
    cluster.isRedisFull ? 1 : 0,
  );
  metrics.gauge(
    "cluster_lease_seconds",
    "Seconds that are left of this node's lease: from 0 on other nodes may declare it dead.",
    () => cluster.leaseLeftMs / 1000,
  );
}
