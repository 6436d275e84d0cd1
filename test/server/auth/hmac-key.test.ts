import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { MAX_TOKEN_LENGTH } from "../../../src/protocol/rules.ts";
import { HmacKey } from "../../../src/server/auth/hmac-key.ts";

const right = (secret: string, text: string) => createHmac("sha256", secret).update(text).digest();
const hex = (bytes: Buffer) => bytes.toString("hex");
const ascii = fc.string({ unit: "binary-ascii", maxLength: 300 });

it("signs as HMAC-SHA-256 does, with any secret", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 200 }), ascii, (secret, text) => {
      expect(hex(new HmacKey(secret).sign(text))).toBe(hex(right(secret, text)));
    }),
  );
});

it.each([1, 63, 64, 65, 1_024])("signs with a secret of %i bytes", (length) => {
  const secret = "x".repeat(length);
  expect(hex(new HmacKey(secret).sign("a.b"))).toBe(hex(right(secret, "a.b")));
});

it.each([0, MAX_TOKEN_LENGTH, MAX_TOKEN_LENGTH + 1])("signs a text of %i bytes", (length) => {
  const text = "y".repeat(length);
  expect(hex(new HmacKey("secret").sign(text))).toBe(hex(right("secret", text)));
});

it("signs with several keys in turn, long texts and short ones", () => {
  const keys = ["one", "two"].map((secret) => ({ secret, key: new HmacKey(secret) }));
  for (const text of ["z".repeat(500), "a.b", "", "z".repeat(100)])
    for (const { secret, key } of keys) expect(hex(key.sign(text))).toBe(hex(right(secret, text)));
});
