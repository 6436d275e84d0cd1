import type { WebhookStatus } from "../webhooks/webhook.ts";
import type { Webhooks } from "../webhooks/webhooks.ts";
import type { LabelledValue, MetricSet } from "./metric-set.ts";

const LABELS = ["app", "webhook"] as const;

/** Adds the metrics of the webhooks of all apps. Their ids come from the configuration. */
export function addWebhookMetrics(metrics: MetricSet, webhooks: Pick<Webhooks, "appIds" | "statuses">): void {
  const each = (value: (status: WebhookStatus) => number) => (): LabelledValue<(typeof LABELS)[number]>[] =>
    Array.from(webhooks.appIds()).flatMap((app) =>
      webhooks.statuses(app).map((status) => ({ labels: { app, webhook: status.id }, value: value(status) })),
    );
  metrics.counterOfEach(
    {
      name: "webhook_deliveries",
      help: "Number of messages that the receiver of a webhook accepted since start.",
    },
    LABELS,
    each(({ deliveries }) => deliveries),
  );
  metrics.counterOfEach(
    { name: "webhook_failures", help: "Number of attempts to deliver a webhook that failed since start." },
    LABELS,
    each(({ failures }) => failures),
  );
  metrics.gaugeOfEach(
    "webhook_behind_seconds",
    "Age of the oldest change that the receiver of a webhook has not accepted, in seconds.",
    LABELS,
    each(({ secondsBehind }) => secondsBehind),
  );
  metrics.gaugeOfEach(
    "webhook_off",
    "1 while a webhook is switched off, as its receiver answered 410.",
    LABELS,
    each(({ off }) => (off ? 1 : 0)),
  );
}
