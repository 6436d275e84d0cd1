import { expect, it } from "vitest";
import { type AppStats, addStats, statsOf } from "../../../src/server/http/app-stats.ts";
import { bareNode } from "../../support/bare-node.ts";

const NONE: AppStats = { sockets: 0, subscriptions: 0, views: 0, webhooks: [] };
const webhook = { id: "w", deliveries: 1, failures: 2, secondsBehind: 3, off: false, delivering: false };

it("are those of an app of one process", () => {
  const presence = bareNode({ apps: [{ id: "app", secrets: ["secret"] }] }).presence("app")!;
  presence.sockets = 2;
  expect(statsOf(presence, [webhook])).toEqual({ ...NONE, sockets: 2, webhooks: [webhook] });
});

it("are added up over processes, and a webhook is one webhook", () => {
  const other = { ...webhook, secondsBehind: 1, off: true, delivering: true };
  const all = [
    { sockets: 1, subscriptions: 2, views: 3, webhooks: [webhook] },
    { sockets: 10, subscriptions: 20, views: 30, webhooks: [other, { ...webhook, id: "x" }] },
  ];
  expect(addStats(all)).toEqual({
    sockets: 11,
    subscriptions: 22,
    views: 33,
    webhooks: [
      { id: "w", deliveries: 2, failures: 4, secondsBehind: 3, off: true, delivering: true },
      { ...webhook, id: "x" },
    ],
  });
  expect(addStats([])).toEqual(NONE);
});
