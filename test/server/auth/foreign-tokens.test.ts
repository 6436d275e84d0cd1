import { createHmac, createSign } from "node:crypto";
import { exportJWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { MAX_TOKEN_LENGTH } from "../../../src/protocol/rules.ts";
import { App, AppConfig } from "../../../src/server/auth/app.ts";
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyAlgorithm } from "../../../src/server/auth/public-key.ts";
import { verifyAppToken, verifyToken } from "../../../src/server/auth/token.ts";
import { encode } from "../../support/forge.ts";
import { ProviderKey } from "../../support/identity-provider.ts";

const WALL_NOW = 1_780_000_000_000;
const NOW_S = WALL_NOW / 1_000;
const SECRET = "a secret of the app, long enough to be one";
const CLAIMS = { iss: "app", sub: "alice" };

const KEYS = Object.fromEntries(
  PUBLIC_KEY_ALGORITHMS.map((alg) => [alg, new ProviderKey(alg, `kid-${alg}`)]),
) as Record<PublicKeyAlgorithm, ProviderKey>;
const ATTACKER = Object.fromEntries(
  PUBLIC_KEY_ALGORITHMS.map((alg) => [alg, new ProviderKey(alg, `kid-${alg}`)]),
) as Record<PublicKeyAlgorithm, ProviderKey>;

/** All fields are checked as at the start. */
function appWith(fields: Partial<AppConfig>): App {
  return new App(AppConfig.parse({ id: "app", secrets: [SECRET], ...fields }));
}

const app = appWith({ keys: Object.values(KEYS).map(({ jwk }) => ({ publicKey: jwk })) });
const verify = (token: string, byApp = app) => verifyToken(byApp, token, WALL_NOW);

function hmac(header: object, key: string | Buffer): string {
  const input = `${encode(header)}.${encode({ ...CLAIMS, tokenType: "user" })}`;
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
}

describe.each(PUBLIC_KEY_ALGORITHMS)("a token signed by %s", (alg) => {
  const key = KEYS[alg];
  const attacker = ATTACKER[alg];
  const header = { alg, kid: key.kid };
  const token = (payload: object = CLAIMS) => key.token({ payload: { ...payload } });
  const withHeader = (more: object) => key.token({ header: { ...header, ...more }, payload: CLAIMS });
  const parts = (signature: Buffer | string) => {
    const [head, payload] = token().split(".");
    return `${head}.${payload}.${signature.toString("base64url")}`;
  };

  it("is a user's, as the library that others use makes it", async () => {
    const jwt = new SignJWT({ read: { userIds: ["bob"] } }).setProtectedHeader({ alg, kid: key.kid! });
    const text = await jwt
      .setIssuer("app")
      .setSubject("alice")
      .setExpirationTime(NOW_S + 60)
      .sign(key.privateKey);
    expect(verify(text)).toMatchObject({
      ok: true,
      principal: { kind: "user", userId: "alice", exp: NOW_S + 60, grant: { userIds: new Set(["bob"]) } },
    });
    // The second time it is known, and its expiry is checked all the same.
    expect(verify(text).ok).toBe(true);
    expect(verifyToken(app, text, WALL_NOW + 66_000)).toEqual({ ok: false, reason: "the token has expired" });
  });

  it.each([
    { tokenType: "user" },
    { exp: NOW_S - 4 },
    { nbf: NOW_S + 5 },
    { aud: "anything" },
    { aud: ["a", "b"] },
    { unknown: { a: 1 } },
    { read: "all" },
    { sub: "__proto__" },
  ])("with %j is valid", (more) => expect(verify(token({ ...CLAIMS, ...more })).ok).toBe(true));

  it.each<[string, () => string, RegExp]>([
    // Claims
    ["tokenType app", () => token({ ...CLAIMS, tokenType: "app" }), /claim tokenType/],
    ["another tokenType", () => token({ ...CLAIMS, tokenType: "admin" }), /claim tokenType/],
    ["tokenType null", () => token({ ...CLAIMS, tokenType: null }), /claim tokenType/],
    ["no iss", () => token({ sub: "alice" }), /claim iss/],
    ["another iss", () => token({ ...CLAIMS, iss: "app2" }), /the token's iss/],
    ["iss a list", () => token({ ...CLAIMS, iss: ["app"] }), /claim iss/],
    ["no sub", () => token({ iss: "app" }), /claim sub/],
    ["an empty sub", () => token({ ...CLAIMS, sub: "" }), /claim sub/],
    ["sub a number", () => token({ ...CLAIMS, sub: 1 }), /claim sub/],
    ["sub too long", () => token({ ...CLAIMS, sub: "x".repeat(256) }), /claim sub/],
    ["exp that has passed", () => token({ ...CLAIMS, exp: NOW_S - 5 }), /expired/],
    ["exp a text", () => token({ ...CLAIMS, exp: `${NOW_S + 60}` }), /claim exp/],
    ["exp null", () => token({ ...CLAIMS, exp: null }), /claim exp/],
    ["nbf to come", () => token({ ...CLAIMS, nbf: NOW_S + 6 }), /not valid yet/],
    ["nbf a text", () => token({ ...CLAIMS, nbf: "0" }), /claim nbf/],
    ["aud a number", () => token({ ...CLAIMS, aud: 1 }), /claim aud/],
    ["read of a wrong form", () => token({ ...CLAIMS, read: ["bob"] }), /claim read/],
    ["sub twice", () => key.token({ payload: '{"iss":"app","sub":"alice","sub":"bob"}' }), /key twice/],
    ["a payload that is a list", () => key.token({ payload: "[]" }), /not a valid JWT/],
    // Headers
    ["crit", () => withHeader({ crit: ["exp"] }), /crit/],
    ["b64", () => withHeader({ b64: true }), /b64/],
    ["alg twice", () => key.token({ header: `{"alg":"none","alg":"${alg}"}`, payload: CLAIMS }), /key twice/],
    ["kid a list", () => withHeader({ kid: [key.kid] }), /kid/],
    ["kid null", () => withHeader({ kid: null }), /kid/],
    ["kid a number", () => withHeader({ kid: 1 }), /kid/],
    ["an unknown kid", () => withHeader({ kid: "other" }), /not signed/],
    ["a kid that is a path", () => withHeader({ kid: "../../../dev/null" }), /not signed/],
    ["a kid that is SQL", () => withHeader({ kid: "x' UNION SELECT 'y" }), /not signed/],
    ["the kid __proto__", () => withHeader({ kid: "__proto__" }), /not signed/],
    ["an empty kid", () => withHeader({ kid: "" }), /not signed/],
    ["a very long kid", () => withHeader({ kid: "x".repeat(5_000) }), /not signed/],
    ["the kid of another algorithm", () => withHeader({ kid: "kid-PS256" }), /not signed/],
    ["alg none", () => `${encode({ alg: "none" })}.${encode(CLAIMS)}.`, /not a JWT/],
    ["alg none, signed", () => withHeader({ alg: "none" }), /alg is not/],
    ["alg in lower case", () => withHeader({ alg: alg.toLowerCase() }), /alg is not/],
    ["alg a list", () => withHeader({ alg: [alg] }), /alg is not/],
    ["no alg", () => withHeader({ alg: undefined }), /alg is not/],
    ["alg HS256, the signature of the key", () => withHeader({ alg: "HS256" }), /not signed with a secret/],
    ["alg RS384", () => withHeader({ alg: "RS384" }), /alg is not/],
    ["alg PS256", () => withHeader({ alg: "PS256" }), /alg is not/],
    ["alg ES384", () => withHeader({ alg: "ES384" }), /alg is not/],
    ["alg Ed25519", () => withHeader({ alg: "Ed25519" }), /alg is not/],
    // Keys
    ["the attacker's key", () => attacker.token({ payload: CLAIMS }), /not signed/],
    ["the attacker's key, no kid", () => attacker.token({ header: { alg }, payload: CLAIMS }), /not signed/],
    [
      "the attacker's key, embedded as jwk",
      () => attacker.token({ header: { ...header, jwk: attacker.jwk }, payload: CLAIMS }),
      /not signed/,
    ],
    [
      "the attacker's key, named by jku and x5u",
      () =>
        attacker.token({
          header: { alg, jku: "https://a.example/", x5u: "https://a.example/" },
          payload: CLAIMS,
        }),
      /not signed/,
    ],
    [
      "the attacker's key, embedded as x5c",
      () => attacker.token({ header: { ...header, x5c: [attacker.pem] }, payload: CLAIMS }),
      /not signed/,
    ],
    // Public keys as secrets
    ["HS256, the PEM as secret", () => hmac({ alg: "HS256" }, key.pem), /not signed with a secret/],
    ["HS256, the trimmed PEM as secret", () => hmac({ alg: "HS256" }, key.pem.trim()), /not signed/],
    ["HS256, the JWK as secret", () => hmac({ alg: "HS256" }, JSON.stringify(key.jwk)), /not signed/],
    [
      "HS256, the DER as secret",
      () => hmac({ alg: "HS256", kid: key.kid }, key.publicKey.export({ type: "spki", format: "der" })),
      /not signed/,
    ],
    [`${alg} in the header, an HMAC with the secret`, () => hmac(header, SECRET), /not signed/],
    [`${alg} in the header, an HMAC with the PEM`, () => hmac(header, key.pem), /not signed/],
    // Signatures
    ["a signature of zeros", () => parts(Buffer.alloc(64)), /not signed/],
    ["a longer signature of zeros", () => parts(Buffer.alloc(256)), /not signed/],
    ["a signature without its end", () => token().slice(0, -4), /not signed/],
    ["a signature with more at its end", () => `${token()}AAAA`, /not signed/],
    [
      "a signature of an impossible length",
      () => `${token()}${alg === "RS256" ? "AAA" : "AAAA"}A`,
      /not signed|not a JWT/,
    ],
    ["no signature", () => parts(""), /not a JWT/],
    ["the signature of another token", () => parts(key.signature("a.b")), /not signed/],
    [
      "another payload",
      () => token().replace(/\.[^.]+\./, `.${encode({ ...CLAIMS, sub: "bob" })}.`),
      /not signed/,
    ],
    ["padding", () => `${token()}=`, /not a JWT/],
    ["a token that is too long", () => token({ ...CLAIMS, x: "x".repeat(MAX_TOKEN_LENGTH) }), /not a JWT/],
  ])("is refused with %s", (_what, make, reason) => {
    const verified = verify(make());
    expect(verified).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
    expect(verified).not.toHaveProperty("isTemporary");
  });

  it("is tried with every key of its algorithm if it has no kid, and a key without kid fits any", () => {
    const others = [ATTACKER.RS256, ATTACKER.ES256, ATTACKER.EdDSA].map(({ pem }) => ({ publicKey: pem }));
    const many = appWith({
      keys: [...others, { publicKey: attacker.jwk, kid: "b" }, { publicKey: key.pem }],
    });
    expect(verify(key.token({ header: { alg }, payload: CLAIMS }), many).ok).toBe(true);
    expect(verify(key.token({ header: { alg, kid: "any" }, payload: CLAIMS }), many).ok).toBe(true);
    const strict = appWith({ keys: [{ publicKey: key.pem, kid: "b" }] });
    expect(verify(key.token({ header: { alg }, payload: CLAIMS }), strict).ok).toBe(true);
    expect(verify(key.token({ header: { alg, kid: "b" }, payload: CLAIMS }), strict).ok).toBe(true);
    expect(verify(key.token({ header: { alg, kid: "c" }, payload: CLAIMS }), strict).ok).toBe(false);
  });

  it.each(["JWT", "at+jwt", "application/at+jwt", "dpop+jwt", "", 1, null])("may have the typ %j", (typ) => {
    expect(verify(withHeader({ typ })).ok).toBe(true);
  });

  it("does not fit a key of another algorithm", () => {
    for (const other of PUBLIC_KEY_ALGORITHMS.filter((each) => each !== alg)) {
      const forged = key.token({ header: { alg: other }, payload: CLAIMS });
      expect(verify(forged)).toMatchObject({ ok: false, reason: expect.stringMatching(/not signed/) });
    }
  });

  it("is no app token, whatever it says", () => {
    const reason = expect.stringMatching(/^a user token is for WebSockets only/);
    for (const text of [
      token(),
      token({ ...CLAIMS, tokenType: "app" }),
      attacker.token({ payload: CLAIMS }),
    ]) {
      expect(verifyAppToken(app, text, WALL_NOW)).toEqual({ ok: false, reason });
    }
  });

  it("means nothing to an app without public keys", () => {
    const reason = "the token's alg is not HS256";
    expect(verify(token(), appWith({}))).toEqual({ ok: false, reason });
    expect(verifyAppToken(appWith({}), token(), WALL_NOW)).toEqual({ ok: false, reason });
  });
});

it("a signature in DER is none for ES256", () => {
  const key = KEYS.ES256;
  const [header, payload] = key.token({ payload: CLAIMS }).split(".");
  const der = createSign("sha256").update(`${header}.${payload}`).sign(key.privateKey, "base64url");
  expect(verify(`${header}.${payload}.${der}`)).toMatchObject({ ok: false });
});

describe("what the app asks of them", () => {
  const key = KEYS.EdDSA;
  const keys = [{ publicKey: key.pem }];
  const fields = {
    issuer: "https://issuer.example/",
    audience: "presence",
    userIdClaim: "https://x.example/id",
  };
  const strict = appWith({ keys, requireExp: true, ...fields });
  const claims = {
    iss: fields.issuer,
    aud: ["other", "presence"],
    exp: NOW_S + 60,
    sub: "auth0|1",
    "https://x.example/id": "alice",
  };
  const ask = (more: object) => verify(key.token({ payload: { ...claims, ...more } }), strict);

  it("is that its names are theirs", () => {
    expect(ask({})).toMatchObject({ ok: true, principal: { userId: "alice" } });
    expect(ask({ aud: "presence" }).ok).toBe(true);
    expect(ask({ sub: undefined }).ok).toBe(true);
  });

  it.each<[object, RegExp]>([
    [{ iss: "app" }, /iss/],
    [{ iss: "https://issuer.example" }, /iss/],
    [{ aud: undefined }, /aud/],
    [{ aud: "other" }, /aud/],
    [{ aud: [] }, /aud/],
    [{ aud: "presence2" }, /aud/],
    [{ exp: undefined }, /exp/],
    [{ "https://x.example/id": undefined }, /claim https:\/\/x.example\/id/],
    [{ "https://x.example/id": 7 }, /claim https:\/\/x.example\/id/],
    [{ "https://x.example/id": "a\u0000" }, /claim https:\/\/x.example\/id/],
    [{ sub: 7 }, /claim sub/],
  ])("so %j is refused", (more, reason) => {
    expect(ask(more)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  });

  it("is not asked of the app's own tokens", async () => {
    const own = { iss: "app", tokenType: "user", sub: "alice", exp: NOW_S + 60 };
    const sign = (more: object) =>
      new SignJWT({ ...own, ...more }).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(SECRET));
    expect(verify(await sign({}), strict)).toMatchObject({ ok: true, principal: { userId: "alice" } });
    expect(verify(await sign({ iss: fields.issuer, aud: "presence" }), strict).ok).toBe(false);
    expect(verify(await sign({ tokenType: undefined }), strict).ok).toBe(false);
  });

  it("an own property only: no claim comes from a prototype", () => {
    const odd = appWith({ keys, userIdClaim: "constructor" });
    expect(verify(key.token({ payload: CLAIMS }), odd).ok).toBe(false);
    expect(verify(key.token({ payload: { ...CLAIMS, constructor: "alice" } }), odd).ok).toBe(true);
  });
});

describe("wrong signatures", () => {
  const key = KEYS.EdDSA;
  const others = Array.from({ length: 3 }, () => ({ publicKey: new ProviderKey("EdDSA").pem }));
  const many = appWith({ keys: [...others, { publicKey: key.pem }] });

  it("are charged for each key that is tried, and valid tokens cost nothing", () => {
    const taken: number[] = [];
    const budget = {
      takeChecks: (count: number) => taken.push(count) < 100,
      returnChecks: (count: number) => taken.push(-count),
    };
    const ask = (token: string) => verifyToken(many, token, WALL_NOW, { budget });
    ask(ATTACKER.EdDSA.token({ payload: CLAIMS }));
    expect(taken.splice(0)).toEqual([4]);
    const good = key.token({ payload: CLAIMS });
    ask(good);
    expect(taken.splice(0)).toEqual([4, -4]);
    ask(good);
    expect(taken.splice(0)).toEqual([]);
    ask(key.token({ payload: { ...CLAIMS, exp: 1 } }));
    expect(taken.splice(0)).toEqual([4]);
    expect(verifyToken(many, hmac({ alg: "HS256" }, SECRET), WALL_NOW, { budget }).ok).toBe(true);
    expect(taken).toEqual([]);
  });

  it("are not checked when there were too many: the client may come back", () => {
    const budget = { takeChecks: () => false, returnChecks: () => {} };
    const refused = verifyToken(many, key.token({ payload: { ...CLAIMS, jti: "x" } }), WALL_NOW, { budget });
    expect(refused).toEqual({
      ok: false,
      reason: expect.stringMatching(/^too many/),
      isTemporary: true,
      retryAfterMs: 1_000,
    });
  });
});

it("a private key is never made public by the library that wrote it", async () => {
  // What a mistaken operator would paste.
  const jwk = await exportJWK(KEYS.ES256.privateKey);
  const result = AppConfig.safeParse({ id: "app", secrets: [SECRET], keys: [{ publicKey: jwk }] });
  expect(result.success).toBe(false);
  expect(JSON.stringify(result.error!.issues)).not.toContain(jwk.d);
});
