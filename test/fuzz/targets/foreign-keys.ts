import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { App } from "../../../src/server/auth/app.ts";
import { MAX_JWKS_KEYS, readJwks } from "../../../src/server/auth/jwks.ts";
import { PUBLIC_KEY_ALGORITHMS } from "../../../src/server/auth/public-key.ts";
import { verifyAppToken, verifyToken } from "../../../src/server/auth/token.ts";
import type { Random } from "../../support/random.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { mutateText, nearTo } from "../mutate.ts";
import { isId, isObject } from "../rules.ts";
import { CLAIMS, WORDS } from "../samples.ts";
import { parse } from "./protocol.ts";
import { APP_ID, SECRET, WALL_NOW } from "./world.ts";

/** A key that is the same in every run: PKCS #8 around 32 bytes. */
const PRIVATE_KEY = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${"07".repeat(32)}`, "hex"),
  format: "der",
  type: "pkcs8",
});
const PUBLIC_JWK = createPublicKey(PRIVATE_KEY).export({ format: "jwk" });
const app = new App({ id: APP_ID, secrets: [SECRET], keys: [{ publicKey: { ...PUBLIC_JWK }, kid: "1" }] });

const HEADERS = [{ alg: "EdDSA" }, { alg: "EdDSA", typ: "at+jwt", kid: "1" }];
const HEADER_WORDS = ["alg", "typ", "kid", "crit", "b64", "jwk", "none", "HS256", "EdDSA", "ES256", "RS256"];
const nearHeader = nearTo(HEADERS, HEADER_WORDS, 10);
const nearClaims = nearTo(
  CLAIMS.map((claims) => ({ ...claims, tokenType: "user" })),
  WORDS,
  10,
);

function makeToken(random: Random): string {
  const header = random.oneIn(3) ? nearHeader(random) : JSON.stringify(HEADERS[1]);
  const input = [header, nearClaims(random)].map((text) => Buffer.from(text).toString("base64url")).join(".");
  const token = `${input}.${sign(null, Buffer.from(input), PRIVATE_KEY).toString("base64url")}`;
  return random.oneIn(8) ? mutateText(random, token) : token;
}

/** The issuer signs its tokens, so a result must contain exactly what the token states. */
export const foreignToken: Target = {
  name: "foreign-token",
  inputs: 10_000,
  make: makeToken,
  check(input): Outcome {
    assert.equal(verifyAppToken(app, input, WALL_NOW).ok, false);
    const verified = verifyToken(app, input, WALL_NOW);
    if (!verified.ok) {
      assert.match(verified.reason, /^(?:the token|this is not a token)[\w' .():,]+$/);
      assert(verified.reason.length < 100, verified.reason);
      assert.equal(verified.isTemporary, undefined);
      return "refused";
    }
    const [header = "", payload = "", ...more] = input.split(".");
    assert.equal(more.length, 1);
    const said = parse(Buffer.from(header, "base64url").toString())?.value;
    assert(isObject(said) && said.alg === "EdDSA" && !("crit" in said) && !("b64" in said));
    assert(said.kid === undefined || said.kid === "1");
    const claims = parse(Buffer.from(payload, "base64url").toString())?.value;
    assert(isObject(claims) && claims.iss === APP_ID);
    assert(claims.tokenType === undefined || claims.tokenType === "user");
    const { principal } = verified;
    assert(principal.kind === "user" && isId(principal.userId));
    assert.equal(principal.userId, claims.sub);
    assert.equal(principal.exp, claims.exp);
    return "taken";
  },
};

const JWKS_WORDS = [
  "keys",
  "kty",
  "crv",
  "alg",
  "use",
  "sig",
  "enc",
  "key_ops",
  "verify",
  "kid",
  "x",
  "y",
  "d",
];
const JWKS_MORE = ["k", "n", "e", "oct", "RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", "AQ", "__proto__"];
const nearJwks = nearTo(
  [
    { keys: [{ ...PUBLIC_JWK }] },
    {
      keys: [
        { ...PUBLIC_JWK, kid: "1", use: "sig", alg: "EdDSA" },
        { kty: "oct", k: "AQAB" },
      ],
    },
    { keys: [{ kty: "RSA", n: `_${"A".repeat(341)}`, e: "AQAB", key_ops: ["verify"] }] },
    { keys: [{ kty: "EC", crv: "P-256", x: "AQAB", y: "AQAB" }] },
  ],
  [...JWKS_WORDS, ...JWKS_MORE],
  10,
);

/** Whoever answers for the identity provider cannot do harm beyond its own tokens. */
export const jwks: Target = {
  name: "jwks",
  inputs: 10_000,
  make: (random) => (random.oneIn(8) ? mutateText(random, nearJwks(random)) : nearJwks(random)),
  check(input): Outcome {
    const keys = readJwks(input, "https://issuer.example/");
    if (keys === undefined || keys.length === 0) return "refused";
    assert(keys.length <= MAX_JWKS_KEYS);
    for (const { algorithm, kid, signer } of keys) {
      assert(PUBLIC_KEY_ALGORITHMS.includes(algorithm));
      assert(kid === undefined || typeof kid === "string");
      assert.match(signer.fingerprint, /^key:[\w-]{43}$/);
    }
    const listed = (JSON.parse(input) as { keys: Record<string, unknown>[] }).keys;
    const usable = listed.filter((entry) => isObject(entry) && !("d" in entry) && !("k" in entry));
    assert(keys.length <= usable.length);
    for (const key of keys) assert.equal(key.hasSigned("a.b", Buffer.alloc(64)), false);
    return "taken";
  },
};
