import { expect, it } from "vitest";
import { ClientMessage } from "../../src/protocol/messages.ts";
import { MAX_TOKEN_LENGTH } from "../../src/protocol/rules.ts";

it.each([
  { type: "connect", token: "" },
  { type: "refresh", id: 1, token: "t" },
  { type: "open", kind: "widget", userId: "alice", visible: false, selectedConversationId: null },
  { type: "update", sessionId: "s", hasFocus: true, isTyping: false, custom: { page: "1", mood: null } },
  { type: "close" },
  { type: "subscribe", id: 0, filter: {}, since: { view: "v", version: 3 } },
  { type: "unsubscribe", view: "v" },
  { type: "query", id: 2 ** 53 - 1, filter: { userIds: [] } },
  { type: "ping" },
])("takes %j as it is", (message) => expect(ClientMessage.parse(message)).toEqual(message));

it.each([
  { type: "other" },
  { type: "connect" },
  { type: "connect", token: "x".repeat(MAX_TOKEN_LENGTH + 1) },
  { type: "open", kind: "page" },
  { type: "update", custom: { page: 1 } },
  { type: "update", visible: null },
  { type: "subscribe", filter: {} },
  { type: "subscribe", id: 1, filter: {}, since: { view: "v", version: -1 } },
  { type: "query", id: 0.5, filter: {} },
  { type: "query", id: "1", filter: {} },
])("refuses %j", (message) => expect(ClientMessage.safeParse(message).success).toBe(false));

it("loses no custom key, whatever its name", () => {
  const message = ClientMessage.parse(JSON.parse('{"type":"update","custom":{"__proto__":"x"}}'));
  expect(message.type === "update" && Object.entries(message.custom!)).toEqual([["__proto__", "x"]]);
});
