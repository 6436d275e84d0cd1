import { expect, it } from "vitest";
import { type WebhookStats, webhookState } from "../../../src/dashboard/model/webhook-state.ts";

const FINE: WebhookStats = {
  id: "copy",
  deliveries: 9,
  failures: 0,
  secondsBehind: 0,
  off: false,
  delivering: true,
};

it.each<[Partial<WebhookStats>, string, boolean]>([
  [{}, "up to date", false],
  [{ secondsBehind: 9.9, failures: 3 }, "up to date", false],
  [{ secondsBehind: 10 }, "10 s behind", true],
  [{ secondsBehind: 3_725.5 }, "1 h 2 min behind", true],
  [{ delivering: false }, "not delivered by this node", false],
  [{ delivering: false, off: true }, "switched off: the receiver answered 410", true],
])("%j: %s", (stats, text, isProblem) => {
  expect(webhookState({ ...FINE, ...stats })).toEqual({ text, isProblem });
});
