import { expect, it } from "vitest";
import { REFUSALS } from "../../../src/server/gateway/telemetry.ts";
import { createMetrics } from "../../../src/server/observability/metrics.ts";
import { bareNode } from "../../support/bare-node.ts";

const noteNothing = () => {};

it("a node's counts and gauges are those of the moment in which they are scraped", async () => {
  const metrics = createMetrics(noteNothing, noteNothing);
  const { telemetry } = metrics;
  expect((await metrics.render()).text).toContain("\npresence_users 0\n");
  const node = bareNode({ apps: [{ id: "app", secrets: ["secret"] }], telemetry });
  metrics.observe(node);
  node.presence("app")!.transact(0, (sessions) => {
    sessions.open("alice", "widget", {}, { onSessionTaken: noteNothing });
    sessions.open("alice", "background", {}, { onSessionTaken: noteNothing });
  });
  telemetry.messages.open = 2;
  telemetry.slowReadersDisconnected = 3;
  telemetry.observeQuery(1_500);
  const { contentType, text } = await metrics.render();
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  for (const line of [
    "presence_users 1",
    'presence_sessions{kind="widget"} 1',
    'presence_sessions{kind="background"} 1',
    'presence_messages_in_total{type="open"} 2',
    "presence_slow_readers_disconnected_total 3",
    "presence_query_seconds_sum 1.5",
  ]) {
    expect(text).toContain(`\n${line}\n`);
  }
});

it("refusals and crashes are counted, and told to the log", async () => {
  const refusals: unknown[] = [];
  const crashes: unknown[] = [];
  const { render, telemetry } = createMetrics(
    (refusal, detail) => refusals.push([refusal, detail]),
    (error) => crashes.push(error),
  );
  telemetry.refused("origin", "why");
  const error = new Error("a defect");
  telemetry.crashed(error);
  expect([refusals, crashes]).toEqual([[["origin", "why"]], [error]]);
  const { text } = await render();
  expect(text).toContain('\npresence_refusals_total{reason="origin"} 1\n');
  expect(text).toContain("\npresence_handler_crashes_total 1\n");
  for (const refusal of REFUSALS) expect(text).toContain(`presence_refusals_total{reason="${refusal}"}`);
});

it("those who scrape at the same time get the same text", async () => {
  const metrics = createMetrics(noteNothing, noteNothing);
  const first = metrics.render();
  expect(metrics.render()).toBe(first);
  await first;
  const second = metrics.render();
  expect(second).not.toBe(first);
  await second;
});

it("a lag before there is a cluster is nobody's", async () => {
  const metrics = createMetrics(noteNothing, noteNothing);
  metrics.observeLag(5);
  expect((await metrics.render()).text).not.toContain("presence_cluster");
});
