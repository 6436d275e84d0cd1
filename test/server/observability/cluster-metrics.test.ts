import { expect, it } from "vitest";
import type { Cluster } from "../../../src/server/cluster/cluster.ts";
import { addClusterMetrics } from "../../../src/server/observability/cluster-metrics.ts";
import { MetricSet } from "../../../src/server/observability/metric-set.ts";
import { metricProblems } from "../../support/metric-rules.ts";

const cluster = {
  counts: {
    batches: 1,
    ops: 2,
    entries: 3,
    records: 4,
    resyncs: { start: 1, gap: 5 },
    badInputs: 6,
    failures: 7,
    joins: 8,
    expulsions: 9,
    nodesLost: 10,
    nodesDeclaredDead: 11,
    disconnections: 12,
  },
  degradedMs: 1_500,
  liveRemoteNodes: 2,
  isDegraded: true,
  isRedisFull: false,
  leaseLeftMs: 9_000,
} as unknown as Cluster;

it("the metrics of a cluster follow the rules for names, units and help texts", async () => {
  const metrics = new MetricSet();
  addClusterMetrics(metrics, cluster);
  expect(metricProblems(await metrics.registry.metrics())).toEqual([]);
});

it("the part of a node in its cluster is shown, the node itself counted among the nodes", async () => {
  const metrics = new MetricSet();
  addClusterMetrics(metrics, cluster);
  const lines = (await metrics.registry.metrics())
    .split("\n")
    .filter((line) => line.startsWith("presence_cluster_"));
  expect(lines.sort()).toEqual(
    [
      "presence_cluster_batches_total 1",
      "presence_cluster_changes_out_total 2",
      "presence_cluster_entries_total 3",
      "presence_cluster_changes_in_total 4",
      "presence_cluster_gaps_total 5",
      'presence_cluster_resyncs_total{reason="gap"} 5',
      'presence_cluster_resyncs_total{reason="start"} 1',
      "presence_cluster_bad_input_total 6",
      "presence_cluster_failures_total 7",
      "presence_cluster_joins_total 8",
      "presence_cluster_expulsions_total 9",
      "presence_cluster_nodes_lost_total 10",
      "presence_cluster_nodes_declared_dead_total 11",
      "presence_cluster_disconnections_total 12",
      "presence_cluster_degraded_seconds_total 1.5",
      "presence_cluster_nodes 3",
      "presence_cluster_degraded 1",
      "presence_cluster_redis_full 0",
      "presence_cluster_lease_seconds 9",
    ].sort(),
  );
});
