import { Buffer } from "node:buffer";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { WebhookSigner } from "../../../src/server/webhooks/webhook-signature.ts";

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfa).toString("base64")}`;
const BODY = Buffer.from('{"text":"é 😀"}');

it.each([24, 32, 63, 64])("the library of Standard Webhooks accepts a signature with %i bytes", (bytes) => {
  const secret = secretOf(bytes);
  const headers = new WebhookSigner([secret]).headers("msg_1", BODY, Date.now());
  expect(new Webhook(secret).verify(BODY.toString(), headers)).toEqual({ text: "é 😀" });
  expect(() => new Webhook(secret).verify(`${BODY} `, headers)).toThrow();
  expect(() => new Webhook(secret).verify(BODY.toString(), { ...headers, "webhook-id": "msg_2" })).toThrow();
});

it("there is a signature for each secret, in their order, and the time is in seconds", () => {
  const secrets = [24, 32].map(secretOf);
  const headers = new WebhookSigner(secrets).headers("msg_1", BODY, 1_700_000_000_999);
  expect(headers).toEqual({
    "webhook-id": "msg_1",
    "webhook-timestamp": "1700000000",
    "webhook-signature": secrets
      .map((secret) => new Webhook(secret).sign("msg_1", new Date(1_700_000_000_000), BODY.toString()))
      .join(" "),
  });
});

it("takes only secrets that the configuration accepts, and repeats none", () => {
  expect(() => new WebhookSigner([secretOf(24), "whsec_hunter2"])).toThrow(/^not a secret of a webhook$/);
});
