import { expect, it } from "vitest";
import { WEBHOOK_HEADERS } from "../../src/protocol/webhook-message.ts";

it("the headers are those of Standard Webhooks", () => {
  expect(WEBHOOK_HEADERS).toEqual({
    id: "webhook-id",
    timestamp: "webhook-timestamp",
    signature: "webhook-signature",
  });
});
