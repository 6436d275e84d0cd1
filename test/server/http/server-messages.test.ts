import { expect, it } from "vitest";
import { ServerMessageSchema } from "../../../src/server/http/server-messages.ts";

// That the gateway sends no other messages is checked in test/wire/protocol-sequences.test.ts.

it.each([
  { type: "connected", userId: null, nodeId: "n", heartbeatMs: 16_000, resumeWindowMs: 15_000 },
  { type: "opened", id: 1, sessionId: "s", resumed: false },
  { type: "snapshot", id: 1, view: "v", version: 1, data: {}, more: true },
  { type: "snapshot", reason: "lagged", view: "v", version: 1, data: {} },
  { type: "diff", view: "v", version: 2, data: { alice: null }, causes: { alice: "closed" } },
  { type: "error", code: "RATE_LIMITED", message: "slower", retryAfterMs: 20 },
])("takes %j as it is", (message) => expect(ServerMessageSchema.parse(message)).toEqual(message));

it.each([
  { type: "ok" },
  { type: "snapshot", view: "v", version: 1, data: {} },
  { type: "snapshot", id: 1, reason: "other", view: "v", version: -1, data: {} },
  { type: "diff", view: "v", version: 2, data: { alice: {} } },
  { type: "error", code: "OTHER", message: "" },
])("refuses %j", (message) => expect(ServerMessageSchema.safeParse(message).success).toBe(false));
