import { expect, it } from "vitest";
import { MetricSet } from "../../../src/server/observability/metric-set.ts";
import { addWebhookMetrics } from "../../../src/server/observability/webhook-metrics.ts";
import type { WebhookStatus } from "../../../src/server/webhooks/webhook.ts";
import { metricProblems } from "../../support/metric-rules.ts";

function setUp(byApp: Record<string, WebhookStatus[]>) {
  const metrics = new MetricSet();
  addWebhookMetrics(metrics, { appIds: () => Object.keys(byApp), statuses: (appId) => byApp[appId] ?? [] });
  return async () => {
    const text = await metrics.registry.metrics();
    expect(metricProblems(text)).toEqual([]);
    return text.split("\n").filter((line) => line.startsWith("presence_webhook_"));
  };
}

it("each webhook of each app is shown, as long as it is there", async () => {
  const status = { id: "hook", deliveries: 3, failures: 2, secondsBehind: 1.5, off: true, delivering: false };
  const byApp: Record<string, WebhookStatus[]> = { shop: [status] };
  const lines = setUp(byApp);
  expect(await lines()).toEqual([
    'presence_webhook_deliveries_total{app="shop",webhook="hook"} 3',
    'presence_webhook_failures_total{app="shop",webhook="hook"} 2',
    'presence_webhook_behind_seconds{app="shop",webhook="hook"} 1.5',
    'presence_webhook_off{app="shop",webhook="hook"} 1',
  ]);
  expect(await lines()).toHaveLength(4);
  byApp.shop = [];
  expect(await lines()).toEqual([]);
});

it("an id that has a quote or a line break stays one label", async () => {
  const status = { deliveries: 0, failures: 0, secondsBehind: 0, off: false, delivering: true };
  const lines = setUp({ 'a"b': [{ id: "c\\d", ...status }] });
  expect((await lines())[0]).toBe('presence_webhook_deliveries_total{app="a\\"b",webhook="c\\\\d"} 0');
});
