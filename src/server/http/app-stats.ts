import type { AppPresence } from "../gateway/app-presence.ts";
import type { WebhookStats } from "./schemas.ts";

/** What one process knows of an app besides its sessions, which all processes know. */
export interface AppStats {
  readonly sockets: number;
  readonly subscriptions: number;
  readonly views: number;
  readonly webhooks: readonly WebhookStats[];
}

export function statsOf(presence: AppPresence, webhooks: readonly WebhookStats[]): AppStats {
  const { sockets, subscriptions, views } = presence;
  return { sockets, subscriptions, views, webhooks };
}

/** What several processes know together. One of them delivers the webhooks, after another one may have. */
export function addStats(all: readonly AppStats[]): AppStats {
  const webhooks = new Map<string, WebhookStats>();
  for (const each of all.flatMap((stats) => stats.webhooks)) {
    const known = webhooks.get(each.id);
    webhooks.set(each.id, known === undefined ? each : addWebhooks(known, each));
  }
  const sum = (field: "sockets" | "subscriptions" | "views") =>
    all.reduce((total, stats) => total + stats[field], 0);
  return {
    sockets: sum("sockets"),
    subscriptions: sum("subscriptions"),
    views: sum("views"),
    webhooks: [...webhooks.values()],
  };
}

function addWebhooks(one: WebhookStats, other: WebhookStats): WebhookStats {
  return {
    id: one.id,
    deliveries: one.deliveries + other.deliveries,
    failures: one.failures + other.failures,
    secondsBehind: Math.max(one.secondsBehind, other.secondsBehind),
    off: one.off || other.off,
    delivering: one.delivering || other.delivering,
  };
}
