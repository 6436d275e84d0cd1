import { expect, test } from "vitest";
import { readWebhookMessage } from "../../../src/cli/webhook/webhook-message.ts";
import { presentIn } from "../../support/webhook-sender.ts";

const at = { appId: "shop", webhookId: "copy", view: "v", version: 3 };
const value = presentIn("c1");
const read = (type: string, data: unknown) =>
  readWebhookMessage(JSON.stringify({ type, timestamp: "2026-01-01T00:00:00.000Z", data }));

test.each([
  ["presence.snapshot", { ...at, users: { alice: value }, page: 1, more: false }],
  ["presence.snapshot", { ...at, users: {}, page: 2, more: true, added: "later" }],
  ["presence.diff", { ...at, from: 2, users: { alice: value, bob: null }, causes: { bob: "closed" } }],
  ["presence.diff", { ...at, from: 2, users: { alice: { status: "busy" } }, causes: {} }],
  ["presence.count", { appId: "shop", webhookId: "copy", users: 0 }],
])("reads %s %j", (type, data) => {
  expect(read(type, data)).toMatchObject({ type, data });
});

test("takes any id of a user as an ordinary one", () => {
  const users = JSON.parse('{"__proto__": {"status": "online"}, "constructor": {"status": "busy"}}');
  const message = read("presence.snapshot", { ...at, users, page: 1, more: false })!;
  expect(Object.keys(message.data.users)).toEqual(["__proto__", "constructor"]);
});

const snapshot = { ...at, users: {}, page: 1, more: false };
test.each([
  ["presence.unknown", snapshot],
  ["toString", snapshot],
  ["presence.snapshot", undefined],
  ["presence.snapshot", { ...snapshot, users: [] }],
  ["presence.snapshot", { ...snapshot, users: { alice: null } }],
  ["presence.snapshot", { ...snapshot, users: { alice: { status: "online", widgets: [1] } } }],
  ["presence.snapshot", { ...snapshot, version: -1 }],
  ["presence.snapshot", { ...snapshot, page: "1" }],
  ["presence.snapshot", { ...snapshot, more: 1 }],
  ["presence.diff", { ...at, users: {}, causes: {} }],
  ["presence.diff", { ...at, from: 2, users: {}, causes: { bob: 1 } }],
  ["presence.count", { appId: "shop", webhookId: "copy", users: -1 }],
  ["presence.count", { webhookId: "copy", users: 1 }],
])("does not read %s %j", (type, data) => {
  expect(read(type, data)).toBeUndefined();
});

test.each(["", "{", "[]", "null", '"text"', "{}", '{"type":1}'])("does not read %j", (text) => {
  expect(readWebhookMessage(text)).toBeUndefined();
});
