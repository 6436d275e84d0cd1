import { expect, test } from "vitest";
import {
  makeWebhookSecret,
  webhookSecretBytes,
  webhookSecretProblem,
} from "../../../src/server/auth/webhook-secret.ts";

const ofBytes = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfb).toString("base64")}`;

test("a secret that is made is a valid one, and another one each time", () => {
  const secrets = Array.from({ length: 20 }, makeWebhookSecret);
  expect(secrets.map(webhookSecretProblem)).toEqual(Array(20).fill(undefined));
  expect(new Set(secrets).size).toBe(20);
});

test.each([
  [ofBytes(24), undefined],
  [ofBytes(64), undefined],
  [ofBytes(23), "24 to 64 bytes"],
  [ofBytes(65), "24 to 64 bytes"],
  ["whsec_", "24 to 64 bytes"],
  ["", "must begin with whsec_"],
  [ofBytes(32).slice(6), "must begin with whsec_"],
  [ofBytes(32).replace("+", "-"), "must be base64"],
  [`${ofBytes(32)}\n`, "must be base64"],
  [ofBytes(32).replace("=", ""), "must be base64"],
])("%j: %s", (secret, problem) => {
  if (problem === undefined) expect(webhookSecretProblem(secret)).toBeUndefined();
  else expect(webhookSecretProblem(secret)).toContain(problem);
});

test("the key of a secret is what its base64 says", () => {
  expect(webhookSecretBytes(ofBytes(32))).toEqual(Buffer.alloc(32, 0xfb));
});
