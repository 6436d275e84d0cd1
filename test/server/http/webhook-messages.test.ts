import { expect, expectTypeOf, it } from "vitest";
import type { z } from "zod";
import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import { WebhookAnswerSchema, WebhookMessageSchema } from "../../../src/server/http/webhook-messages.ts";

// That webhooks send no other messages is checked in test/wire/webhooks.test.ts.

const TIME = "2026-11-27T12:00:00.000Z";
const origin = { appId: "app", webhookId: "hook" };
const VALUE = { status: "online", backgroundSessions: [], widgets: [] };

it("agrees with the plain types", () => {
  expectTypeOf<z.output<typeof WebhookMessageSchema>["type"]>().toEqualTypeOf<WebhookMessage["type"]>();
});

it.each([
  {
    type: "presence.snapshot",
    timestamp: TIME,
    data: { ...origin, view: "v", version: 1, users: { a: VALUE }, page: 1, more: true },
  },
  {
    type: "presence.diff",
    timestamp: TIME,
    data: { ...origin, view: "v", from: 1, version: 9, users: { a: null }, causes: { a: "closed" } },
  },
  { type: "presence.count", timestamp: TIME, data: { ...origin, users: 0 } },
])("takes %j as it is", (message) => expect(WebhookMessageSchema.parse(message)).toEqual(message));

it.each([
  { type: "presence.other", timestamp: TIME, data: origin },
  { type: "presence.count", timestamp: "yesterday", data: { ...origin, users: 0 } },
  { type: "presence.count", timestamp: TIME, data: { users: 0 } },
  {
    type: "presence.snapshot",
    timestamp: TIME,
    data: { ...origin, view: "v", version: 1, users: {}, page: 0, more: true },
  },
])("refuses %j", (message) => expect(WebhookMessageSchema.safeParse(message).success).toBe(false));

it("an answer asks for a snapshot by true", () => {
  expect(WebhookAnswerSchema.safeParse({ resync: true }).success).toBe(true);
  expect(WebhookAnswerSchema.safeParse({ resync: false }).success).toBe(false);
});
