import { generateKeyPairSync, sign } from "node:crypto";
import { expect, it } from "vitest";
import { PUBLIC_KEY_ALGORITHMS, type PublicKey, readPublicKey } from "../../../src/server/auth/public-key.ts";
import { ProviderKey, pkcs1Of, privateForms } from "../../support/identity-provider.ts";

const KEYS = Object.fromEntries(PUBLIC_KEY_ALGORITHMS.map((alg) => [alg, new ProviderKey(alg, "k1")]));
const rsa = KEYS.RS256!;
const ec = KEYS.ES256!;
const ed = KEYS.EdDSA!;
const weak = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2_048 }).publicKey;
const x25519 = generateKeyPairSync("x25519").publicKey;
const ed448 = generateKeyPairSync("ed448").publicKey;
const pemOf = (key: typeof weak) => key.export({ type: "spki", format: "pem" }).toString();

function read(text: Parameters<typeof readPublicKey>[0], kid?: string): PublicKey {
  const result = readPublicKey(text, kid);
  if (!result.ok) throw new Error(result.problem);
  return result.key;
}

it.each(Object.entries(KEYS))("reads a key for %s in PEM and as JWK", (algorithm, made) => {
  const { use: _use, alg: _alg, kid: _kid, ...bare } = made.jwk;
  for (const text of [made.pem, ` \n${made.pem}\n`, made.jwk, bare]) {
    const key = read(text);
    expect(key.algorithm).toBe(algorithm);
    expect(key.signer.fingerprint).toBe(read(made.pem).signer.fingerprint);
    expect(key.hasSigned("a.b", made.signature("a.b"))).toBe(true);
    expect(key.hasSigned("a.c", made.signature("a.b"))).toBe(false);
  }
});

it("has the kid of the JWK, unless another one is given", () => {
  expect([read(rsa.jwk).kid, read(rsa.jwk, "k2").kid, read(rsa.pem).kid, read(rsa.pem, "k2").kid]).toEqual([
    "k1",
    "k2",
    undefined,
    "k2",
  ]);
});

it("reads other usual forms", () => {
  expect(read(pkcs1Of(rsa)).algorithm).toBe("RS256");
  expect(read({ ...ed.jwk, alg: "Ed25519" }).algorithm).toBe("EdDSA");
  expect(read({ ...rsa.jwk, key_ops: ["verify"], x5t: "x", x5c: ["x"], other: {} }).algorithm).toBe("RS256");
});

it.each<[string, Parameters<typeof readPublicKey>[0], RegExp]>([
  ["a private RSA key", privateForms(rsa).pem, /private key/],
  ["a private EC key", privateForms(ec).pem, /private key/],
  ["a public and a private key", `${rsa.pem}${privateForms(rsa).pem}`, /private key/],
  ["a private RSA JWK", privateForms(rsa).jwk, /private key/],
  ["a private EC JWK", privateForms(ec).jwk, /private key/],
  ["a private Ed25519 JWK", privateForms(ed).jwk, /private key/],
  ["a JWK with one private member", { ...rsa.jwk, dp: "AQ" }, /private key/],
  ["an oct JWK", { kty: "oct", k: "c2VjcmV0" }, /symmetric/],
  ["a JWK with a symmetric member", { ...rsa.jwk, k: "c2VjcmV0" }, /symmetric/],
  ["a short RSA key", pemOf(weak), /2048 to 8192 bits, but has 1024/],
  ["a short RSA JWK", { ...weak.export({ format: "jwk" }) }, /2048 to 8192/],
  ["a P-384 key", pemOf(p384), /must be an RSA key/],
  ["a P-384 JWK", { ...p384.export({ format: "jwk" }) }, /must be an RSA key/],
  ["an RSA-PSS key", pemOf(pss), /must be an RSA key/],
  ["an X25519 key", pemOf(x25519), /must be an RSA key/],
  ["an X25519 JWK", { ...x25519.export({ format: "jwk" }) }, /must be an RSA key/],
  ["an Ed448 key", pemOf(ed448), /must be an RSA key/],
  ["an RSA key that signs everything", { ...rsa.jwk, e: "AQ" }, /exponent/],
  ["an RSA key with an even exponent", { ...rsa.jwk, e: "Ag" }, /exponent/],
  ["an RSA key with a huge exponent", { ...rsa.jwk, e: "A".repeat(5) + "_".repeat(300) }, /exponent|read/],
  ["a point that is not on the curve", { ...ec.jwk, x: ec.jwk.y }, /cannot be read/],
  ["an EC key of the wrong length", { ...ec.jwk, x: "AQAB" }, /cannot be read/],
  ["an Ed25519 key of the wrong length", { ...ed.jwk, x: "AQAB" }, /cannot be read/],
  ["an unknown curve", { ...ec.jwk, crv: "P-999" }, /cannot be read/],
  ["a JWK without a modulus", { kty: "RSA", e: "AQAB" }, /whole JWK/],
  ["a JWK with a number as modulus", { ...rsa.jwk, n: 1 }, /whole JWK/],
  ["a JWK with padding", { ...rsa.jwk, n: `${rsa.jwk.n}=` }, /whole JWK/],
  ["a JWK without a type", { n: rsa.jwk.n, e: "AQAB" }, /must be an RSA key/],
  ["no JWK", {}, /must be an RSA key/],
  ["a JWK for another algorithm", { ...rsa.jwk, alg: "RS512" }, /alg/],
  ["a JWK for an algorithm of another type", { ...rsa.jwk, alg: "ES256" }, /alg/],
  ["a JWK for HS256", { ...rsa.jwk, alg: "HS256" }, /alg/],
  ["a JWK for encryption", { ...rsa.jwk, use: "enc" }, /use/],
  ["a JWK for signing only", { ...rsa.jwk, key_ops: ["sign"] }, /key_ops/],
  ["a JWK with a kid that is a number", { ...rsa.jwk, kid: 1 }, /kid/],
  ["a certificate", rsa.pem.replaceAll("PUBLIC KEY", "CERTIFICATE"), /certificate.*openssl/],
  ["broken PEM", rsa.pem.replace(/\n[A-Za-z\d]{4}/, "\n"), /cannot be read/],
  ["PEM on one line", rsa.pem.replaceAll("\n", "\\n"), /one block of PEM/],
  ["the Base64 of a key alone", rsa.pem.replace(/-----[^-]+-----/g, ""), /one block of PEM/],
  ["an empty text", "", /one block of PEM/],
])("refuses %s", (_what, text, problem) => {
  const result = readPublicKey(text);
  expect(result).toEqual({ ok: false, problem: expect.stringMatching(problem) });
});

it("accepts no signature of another length or form", () => {
  const der = sign("sha256", Buffer.from("a.b"), ec.privateKey);
  const right = ec.signature("a.b");
  const key = read(ec.pem);
  expect(key.hasSigned("a.b", der)).toBe(false);
  expect(key.hasSigned("a.b", Buffer.alloc(64))).toBe(false);
  for (const made of [rsa, ec, ed]) {
    const own = read(made.pem);
    const signature = made.signature("a.b");
    for (const other of [
      Buffer.alloc(0),
      signature.subarray(1),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), signature]),
      Buffer.alloc(signature.length, 255),
      Buffer.alloc(signature.length),
      right,
    ]) {
      expect(own.hasSigned("a.b", other)).toBe(made === ec && other === right);
    }
  }
});
