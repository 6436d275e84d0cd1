import { generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { MAX_JWKS_KEYS, readJwks } from "../../../src/server/auth/jwks.ts";
import { jwksOf, ProviderKey, privateForms } from "../../support/identity-provider.ts";

const URL = "https://issuer.example/jwks.json";
const rsa = new ProviderKey("RS256", "r");
const ec = new ProviderKey("ES256", "e");
const ed = new ProviderKey("EdDSA");

it("has the keys of a set, in their order, and where they come from", () => {
  const keys = readJwks(jwksOf(rsa, ec, ed), URL)!;
  expect(keys.map(({ algorithm, kid }) => [algorithm, kid])).toEqual([
    ["RS256", "r"],
    ["ES256", "e"],
    ["EdDSA", undefined],
  ]);
  for (const { signer } of keys) expect(signer.jwksUrl).toBe(URL);
});

it("ignores entries that sign no tokens, and keeps the others", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ format: "jwk" });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" });
  const others = [
    { kty: "oct", k: "c2VjcmV0", kid: "o" },
    privateForms(rsa).jwk,
    { ...weak },
    { ...p384 },
    { ...rsa.jwk, use: "enc" },
    { ...rsa.jwk, alg: "RSA-OAEP" },
    { ...rsa.jwk, kid: 1 },
    {},
  ];
  const mixed = { keys: [null, "x", [], 1, ...others, rsa.jwk, ...others], more: "members" };
  expect(readJwks(JSON.stringify(mixed), URL)!.map(({ kid }) => kid)).toEqual(["r"]);
  expect(readJwks('{"keys":[]}', URL)).toEqual([]);
});

it("uses no more than so many keys", () => {
  const many = Array.from({ length: MAX_JWKS_KEYS + 5 }, (_, i) => ({ ...ed.jwk, kid: `${i}` }));
  expect(readJwks(jwksOf(...many), URL)).toHaveLength(MAX_JWKS_KEYS);
});

it.each(["", "{", "null", "[]", '"x"', "{}", '{"keys":{}}', '{"keys":"x"}', "<html></html>"])(
  "%j is no set",
  (text) => expect(readJwks(text, URL)).toBeUndefined(),
);
