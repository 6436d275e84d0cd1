import { expect, it } from "vitest";
import { readJwks } from "../../../src/server/auth/jwks.ts";
import type { JwksSource } from "../../../src/server/auth/jwks-source.ts";
import { type PublicKey, readPublicKey } from "../../../src/server/auth/public-key.ts";
import { PublicKeys } from "../../../src/server/auth/public-keys.ts";
import { jwksOf, ProviderKey } from "../../support/identity-provider.ts";

const URL = "https://issuer.example/jwks.json";
const CLAIMS = { issuer: "x", audience: undefined, userIdClaim: "sub" };
const named = new ProviderKey("EdDSA", "a");
const nameless = new ProviderKey("EdDSA");
const rsa = new ProviderKey("RS256", "a");

function keyOf(key: ProviderKey): PublicKey {
  const read = readPublicKey(key.jwk);
  if (!read.ok) throw new Error(read.problem);
  return read.key;
}

const keysWith = (configured: ProviderKey[], ...inJwks: ProviderKey[]) => {
  const jwks = { url: URL, keys: readJwks(jwksOf(...inJwks), URL)! };
  return { keys: new PublicKeys(configured.map(keyOf), jwks as unknown as JwksSource, CLAIMS), jwks };
};

it("finds the keys that fit the algorithm and the kid, those of the configuration first", () => {
  const { keys } = keysWith([named], nameless, rsa);
  const find = (...args: Parameters<PublicKeys["find"]>) => keys.find(...args).map(({ kid }) => kid);
  expect(find("EdDSA", "a")).toEqual(["a", undefined]);
  expect(find("EdDSA", undefined)).toEqual(["a", undefined]);
  expect(find("EdDSA", "b")).toEqual([undefined]);
  expect(find("RS256", "a")).toEqual(["a"]);
  expect(find("RS256", "b")).toEqual([]);
  expect(find("ES256", undefined)).toEqual([]);
  expect([keys.hasKid("a"), keys.hasKid("b")]).toEqual([true, false]);
});

it("forgets known tokens with the keys that verified them", () => {
  const { keys, jwks } = keysWith([named], nameless);
  const credentials = { principal: { kind: "app", exp: undefined }, signer: { fingerprint: "x" } } as const;
  keys.knownTokens.add("a.b.c", credentials);
  expect(keys.knownTokens.get("a.b.c")).toBe(credentials);
  jwks.keys = readJwks(jwksOf(rsa), URL)!;
  expect(keys.knownTokens.get("a.b.c")).toBeUndefined();
});

it("trusts what its keys have signed, and what a key of its JWKS had signed that has vanished", () => {
  const { keys } = keysWith([named], nameless);
  const other = new ProviderKey("EdDSA");
  const { fingerprint } = keyOf(other).signer;
  expect(keys.trusts(keyOf(named).signer)).toBe(true);
  expect(keys.trusts(keyOf(nameless).signer)).toBe(true);
  expect(keys.trusts({ fingerprint })).toBe(false);
  expect(keys.trusts({ fingerprint, jwksUrl: URL })).toBe(true);
  expect(keys.trusts({ fingerprint, jwksUrl: `${URL}?other` })).toBe(false);
});
