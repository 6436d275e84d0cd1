import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { digestOf, SecretKey } from "../../../src/server/auth/secret-key.ts";

it("knows what it has signed, and its own text by its digest", () => {
  const key = new SecretKey("sécret");
  const signature = createHmac("sha256", "sécret").update("a.b").digest();
  expect(key.hasSigned("a.b", signature)).toBe(true);
  expect(key.hasSigned("a.c", signature)).toBe(false);
  for (const other of [Buffer.alloc(0), signature.subarray(1), Buffer.concat([signature, signature])])
    expect(key.hasSigned("a.b", other)).toBe(false);
  expect(key.hasDigest(digestOf("sécret"))).toBe(true);
  expect(key.hasDigest(digestOf("secret"))).toBe(false);
});

it("is told from others by its fingerprint, which does not show it", () => {
  const [one, same, other] = ["one", "one", "two"].map((secret) => new SecretKey(secret).signer.fingerprint);
  expect(one).toBe(same);
  expect(one).not.toBe(other);
  expect(one).not.toContain("one");
});
