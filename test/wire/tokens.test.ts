import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP_CLAIMS, appToken, encode, forge, HS256, USER_CLAIMS, userToken } from "../support/forge.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const NEXT_SECRET = "the secret that the test app is moving to, long enough";
const OTHER_SECRET = "a secret of another app, just as long as it has to be";
const STRICT = "strict-app";
const STRICT_SECRET = "a secret of an app whose tokens must all expire some day";

/** The wall clock of these gateways stands still: what is a second from a bound stays on its side. */
const WALL_NOW = 1_780_000_000_000;
const inSeconds = (offset: number) => WALL_NOW / 1_000 + offset;

const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
const attackerPem = attacker.publicKey.export({ type: "spki", format: "pem" }).toString();
const attackerJwk = attacker.publicKey.export({ format: "jwk" });
const attackerSecretJwk = { kty: "oct", k: Buffer.from("attacker").toString("base64url"), alg: "HS256" };
const attackerEc = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A server that a gateway would ask for keys, were it to believe a header that tells it where they are. */
let keyServer: Server;
let keyServerUrl = "";
let keysFetched = 0;

/** A good token cut into its parts, to be put together wrongly. */
function parts(): { header: string; payload: string; signature: string } {
  const [header = "", payload = "", signature = ""] = forge().split(".");
  return { header, payload, signature };
}

function rs256(header: Record<string, unknown>): string {
  const input = `${encode({ alg: "RS256", ...header })}.${encode(APP_CLAIMS)}`;
  return `${input}.${createSign("sha256").update(input).sign(attacker.privateKey).toString("base64url")}`;
}

function es256(header: Record<string, unknown>): string {
  const input = `${encode({ alg: "ES256", ...header })}.${encode(APP_CLAIMS)}`;
  const key = { key: attackerEc.privateKey, dsaEncoding: "ieee-p1363" as const };
  return `${input}.${createSign("sha256").update(input).sign(key).toString("base64url")}`;
}

/** Signed with a right key, and so refused for its header alone. */
function withHeader(header: unknown): string {
  return forge({ header });
}

/** Signed with a right key, from the text of a payload that no JSON writer would write. */
function withPayloadText(payload: string): string {
  return forge({ payload });
}

const FORGED: [name: string, make: () => string][] = [
  // Algorithms
  ["alg none, no signature", () => `${encode({ alg: "none" })}.${encode(APP_CLAIMS)}.`],
  [
    "alg none, a signature that is no signature",
    () => `${encode({ alg: "none" })}.${encode(APP_CLAIMS)}.AAAA`,
  ],
  ["alg none, signed with the secret", () => withHeader({ alg: "none" })],
  ["alg None", () => withHeader({ alg: "None" })],
  ["alg nOnE", () => withHeader({ alg: "nOnE" })],
  ["alg hs256", () => withHeader({ alg: "hs256" })],
  ["alg HS384 with the secret", () => forge({ header: { alg: "HS384" }, hash: "sha384" })],
  ["alg HS512 with the secret", () => forge({ header: { alg: "HS512" }, hash: "sha512" })],
  ["alg HS256, signed by HS512", () => forge({ hash: "sha512" })],
  ["alg RS256, signed with the secret", () => withHeader({ alg: "RS256" })],
  ["alg RS256, the attacker's key", () => rs256({})],
  ["alg ES256, the attacker's key", () => es256({})],
  [
    "alg ES256, a signature of zeros",
    () => `${encode({ alg: "ES256" })}.${encode(APP_CLAIMS)}.${Buffer.alloc(64).toString("base64url")}`,
  ],
  ["no alg", () => withHeader({ typ: "JWT" })],
  ["alg a list", () => withHeader({ alg: ["HS256"] })],
  ["alg a number", () => withHeader({ alg: 256 })],
  // Keys
  ["a public key in PEM as the secret", () => forge({ key: attackerPem })],
  [
    "a public key in PEM as the secret, and named in the header",
    () => forge({ header: { ...HS256, jwk: attackerJwk }, key: attackerPem }),
  ],
  [
    "an embedded jwk, symmetric",
    () => forge({ header: { ...HS256, jwk: attackerSecretJwk }, key: "attacker" }),
  ],
  ["an embedded jwk, RSA", () => rs256({ jwk: attackerJwk })],
  ["an embedded jwk, EC", () => es256({ jwk: attackerEc.publicKey.export({ format: "jwk" }) })],
  ["an embedded x5c", () => rs256({ x5c: [attackerPem.replace(/-----[^-]+-----|\n/g, "")] })],
  ["a jku", () => rs256({ jku: `${keyServerUrl}/jwks.json`, kid: "1" })],
  [
    "a jku, symmetric",
    () => forge({ header: { ...HS256, jku: `${keyServerUrl}/oct.json` }, key: "attacker" }),
  ],
  ["an x5u", () => rs256({ x5u: `${keyServerUrl}/chain.pem` })],
  [
    "a kid that is a path, signed with nothing",
    () => forge({ header: { ...HS256, kid: "../../../../../../dev/null" }, key: "" }),
  ],
  [
    "a kid that is an address",
    () => forge({ header: { ...HS256, kid: `${keyServerUrl}/key` }, key: "attacker" }),
  ],
  [
    "a kid that is SQL",
    () => forge({ header: { ...HS256, kid: "x' UNION SELECT 'attacker' -- " }, key: "attacker" }),
  ],
  [
    "a kid that names another app",
    () => forge({ header: { ...HS256, kid: "other-app" }, key: OTHER_SECRET }),
  ],
  ["signed with the secret of another app", () => forge({ key: OTHER_SECRET })],
  ["signed with an empty secret", () => forge({ key: "" })],
  ["signed with the app's id", () => forge({ key: APP })],
  ["signed with a space before the secret", () => forge({ key: ` ${SECRET}` })],
  ["signed with a line end after the secret", () => forge({ key: `${SECRET}\n` })],
  ["signed with the secret in Base64", () => forge({ key: Buffer.from(SECRET).toString("base64") })],
  // Headers
  ["crit with an unknown name", () => withHeader({ ...HS256, crit: ["x-new"], "x-new": 1 })],
  ["crit with b64", () => withHeader({ ...HS256, crit: ["b64"], b64: true })],
  ["crit with exp", () => withHeader({ ...HS256, crit: ["exp"], exp: inSeconds(60) })],
  ["crit empty", () => withHeader({ ...HS256, crit: [] })],
  ["crit a text", () => withHeader({ ...HS256, crit: "x" })],
  ["crit null", () => withHeader({ ...HS256, crit: null })],
  ["b64 false", () => withHeader({ ...HS256, b64: false })],
  ["b64 false, and crit says so", () => withHeader({ ...HS256, b64: false, crit: ["b64"] })],
  [
    "b64 false, with a payload that is not encoded",
    () => {
      const input = `${encode({ ...HS256, b64: false, crit: ["b64"] })}.${JSON.stringify(APP_CLAIMS)}`;
      return `${input}.${createHmac("sha256", SECRET).update(input).digest("base64url")}`;
    },
  ],
  // Keys twice: JSON.parse takes the last, others take the first.
  ["alg twice, none first", () => withHeader('{"alg":"none","alg":"HS256"}')],
  ["alg twice, the same", () => withHeader('{"alg":"HS256","alg":"HS256"}')],
  ["alg twice, one spelled with an escape", () => withHeader('{"\\u0061lg":"none","alg":"HS256"}')],
  ["a key twice deep in the header", () => withHeader('{"alg":"HS256","x":[{"a":1,"b":{},"a":2}]}')],
  ["sub twice", () => withPayloadText(`{"iss":"${APP}","tokenType":"app","sub":"a","sub":"b"}`)],
  ["iss twice", () => withPayloadText(`{"iss":"other","iss":"${APP}","tokenType":"app"}`)],
  [
    "tokenType twice, one spelled with an escape",
    () => withPayloadText(`{"iss":"${APP}","tokenTyp\\u0065":"user","tokenType":"app"}`),
  ],
  [
    "a key twice deep in the claims",
    () => withPayloadText(`{"iss":"${APP}","tokenType":"app","x":{"y":[0,{"z":1,"\\u007a":2}]}}`),
  ],
  ["a header that is a list", () => withHeader([])],
  ["a header that is null", () => withHeader("null")],
  ["a header that is a text", () => withHeader('"HS256"')],
  ["a header that is not JSON", () => withHeader('{"alg":"HS256"')],
  // Form
  ["nothing", () => ""],
  ["a word", () => "token"],
  ["two segments", () => `${parts().header}.${parts().payload}`],
  ["three segments, the last one empty", () => `${parts().header}.${parts().payload}.`],
  ["four segments", () => `${forge()}.AAAA`],
  [
    "five segments, as an encrypted token has",
    () => `${encode({ alg: "dir", enc: "A256GCM" })}..${Buffer.alloc(12).toString("base64url")}.AAAA.AAAA`,
  ],
  ["five segments around a good token", () => `${forge()}.AAAA.AAAA`],
  ["a dot at the end", () => `${forge()}.`],
  ["a dot at the start", () => `.${forge()}`],
  ["padding at the end", () => `${forge()}=`],
  ["padding in every segment", () => forge().split(".").join("==.")],
  ["white space at the start", () => ` ${forge()}`],
  ["white space at the end", () => `${forge()} `],
  ["a line end at the end", () => `${forge()}\n`],
  ["white space around the dots", () => forge().split(".").join(" . ")],
  ["white space inside a segment", () => `${forge().slice(0, 10)} ${forge().slice(10)}`],
  ["a tab inside a segment", () => `${forge().slice(0, 10)}\t${forge().slice(10)}`],
  ["a NUL at the end", () => `${forge()}\0`],
  ["plain Base64 in place of base64url", () => `${forge().replaceAll("-", "+").replaceAll("_", "/")}+/`],
  ["quotes around it", () => `"${forge()}"`],
  ["the word Bearer before it", () => `Bearer ${forge()}`],
  [
    "JSON, flattened",
    () => {
      const { header, payload, signature } = parts();
      return JSON.stringify({ protected: header, payload, signature });
    },
  ],
  [
    "JSON, general",
    () => {
      const { header, payload, signature } = parts();
      return JSON.stringify({ payload, signatures: [{ protected: header, signature }] });
    },
  ],
  [
    "a tampered payload",
    () => {
      const { header, signature } = parts();
      return `${header}.${encode(USER_CLAIMS)}.${signature}`;
    },
  ],
  [
    "a tampered header",
    () => {
      const { payload, signature } = parts();
      return `${encode({ ...HS256, kid: "1" })}.${payload}.${signature}`;
    },
  ],
  ["a truncated signature", () => forge().slice(0, -8)],
  ["a signature of one character", () => `${parts().header}.${parts().payload}.A`],
  ["a signature with more after it", () => `${forge()}AAAA`],
  ["a payload that is a list", () => withPayloadText("[]")],
  ["a payload that is null", () => withPayloadText("null")],
  ["a payload that is a text", () => withPayloadText('"app"')],
  ["a payload that is not JSON", () => withPayloadText(`{"iss":"${APP}","tokenType":"app"`)],
  [
    "a long token with a bad signature",
    () => forge({ payload: { ...APP_CLAIMS, padding: "x".repeat(5_800) }, key: "attacker" }),
  ],
  // Claims that every token has
  ["no claims at all", () => forge({ payload: {} })],
  ["another iss", () => appToken({ iss: "other-app" })],
  ["an iss in other letters", () => appToken({ iss: APP.toUpperCase() })],
  ["an iss that is a list", () => appToken({ iss: [APP] })],
  ["an iss that is a number", () => appToken({ iss: 1 })],
  ["no iss", () => appToken({ iss: undefined })],
  ["an exp that is a text", () => appToken({ exp: String(inSeconds(60)) })],
  ["an exp that is null", () => appToken({ exp: null })],
  ["a negative exp", () => appToken({ exp: -1 })],
  ["an exp of zero", () => appToken({ exp: 0 })],
  ["an exp that has passed", () => appToken({ exp: inSeconds(-6) })],
  ["an exp without end", () => withPayloadText(`{"iss":"${APP}","tokenType":"app","exp":1e400}`)],
  ["an exp that is a list", () => appToken({ exp: [inSeconds(60)] })],
  ["an nbf in the future", () => appToken({ nbf: inSeconds(8) })],
  ["an nbf that is a text", () => appToken({ nbf: "0" })],
  [
    "an nbf without end, in the past",
    () => withPayloadText(`{"iss":"${APP}","tokenType":"app","nbf":-1e400}`),
  ],
  ["an iat that is a text", () => appToken({ iat: "0" })],
  ["an iat that is null", () => appToken({ iat: null })],
  ["a jti that is a number", () => appToken({ jti: 1 })],
  ["an aud of somebody else", () => appToken({ aud: "other-app" })],
  ["an aud of several, none of them us", () => appToken({ aud: ["other-app", "third-app"] })],
  ["an aud of nobody", () => appToken({ aud: [] })],
  ["an aud that is a number", () => appToken({ aud: 1 })],
  ["an aud that names us among what is no text", () => appToken({ aud: [APP, 1] })],
  ["no tokenType", () => appToken({ tokenType: undefined })],
  ["another tokenType", () => appToken({ tokenType: "admin" })],
  ["a tokenType in capitals", () => appToken({ tokenType: "APP" })],
  ["a tokenType that is a number", () => appToken({ tokenType: 1 })],
  ["a tokenType that is a list", () => appToken({ tokenType: ["app"] })],
  ["a tokenType that is a name of every object", () => appToken({ tokenType: "__proto__" })],
  ["an app token with a sub that is a number", () => appToken({ sub: 1 })],
  ["an app token with a bad read", () => appToken({ read: "some" })],
  // Claims of users
  ["no sub", () => userToken({ sub: undefined })],
  ["a sub that is null", () => userToken({ sub: null })],
  ["a sub that is a number", () => userToken({ sub: 1 })],
  ["a sub that is a list", () => userToken({ sub: ["alice"] })],
  ["an empty sub", () => userToken({ sub: "" })],
  ["a sub of 300 characters", () => userToken({ sub: "x".repeat(300) })],
  ["a sub of 256 characters", () => userToken({ sub: "x".repeat(256) })],
  ["a sub with a NUL", () => userToken({ sub: "alice\0" })],
  ["a sub with a line end", () => userToken({ sub: "alice\r\nbob" })],
  ["a sub with half a surrogate pair", () => userToken({ sub: "alice\ud800" })],
  ["a sub that is not UTF-8", () => withBytes(`{"iss":"${APP}","tokenType":"user","sub":"`, 0xff)],
  ["a read of an unknown word", () => userToken({ read: "some" })],
  ["a read that is a list", () => userToken({ read: [] })],
  ["a read that is true", () => userToken({ read: true })],
  ["a read that is null", () => userToken({ read: null })],
  ["a read whose userIds is a text", () => userToken({ read: { userIds: "x" } })],
  ["a read whose userIds has a number", () => userToken({ read: { userIds: [1] } })],
  ["a read whose userIds has an empty id", () => userToken({ read: { userIds: [""] } })],
  ["a read whose userIds is null", () => userToken({ read: { userIds: null } })],
  ["a read whose conversationIds is a map", () => userToken({ read: { conversationIds: {} } })],
  ["a read whose conversationIds has null", () => userToken({ read: { conversationIds: [null] } })],
  ["a read with an unknown field", () => userToken({ read: { unknown: 1 } })],
  ["a read with a misspelled field", () => userToken({ read: { userIDs: ["bob"] } })],
];

/** A signed token whose payload is these texts with one byte between them. */
function withBytes(before: string, byte: number): string {
  const payload = Buffer.concat([Buffer.from(before), Buffer.from([byte]), Buffer.from('"}')]);
  const input = `${encode(HS256)}.${payload.toString("base64url")}`;
  return `${input}.${createHmac("sha256", SECRET).update(input).digest("base64url")}`;
}

const ACCEPTED: [name: string, make: () => string][] = [
  ["the token that all forged ones were made from", () => forge()],
  ["no typ", () => withHeader({ alg: "HS256" })],
  ["typ at+jwt", () => withHeader({ alg: "HS256", typ: "at+jwt" })],
  ["typ JWE", () => withHeader({ alg: "HS256", typ: "JWE" })],
  ["any typ", () => withHeader({ alg: "HS256", typ: "anything/at all" })],
  ["a kid, which says nothing to us", () => withHeader({ ...HS256, kid: "2024-01" })],
  [
    "white space and another order in its JSON",
    () =>
      forge({
        header: '{ "typ": "JWT",\n "alg": "HS256" }',
        payload: `{ "tokenType" : "app" , "iss" : "${APP}" }`,
      }),
  ],
  ["the second of several secrets", () => forge({ key: NEXT_SECRET })],
  ["an exp to come", () => appToken({ exp: inSeconds(60) })],
  ["an exp that passed within the leeway", () => appToken({ exp: inSeconds(-3) })],
  ["an exp with a fraction", () => appToken({ exp: inSeconds(60) + 0.5 })],
  ["an exp in the far future", () => appToken({ exp: 253_402_300_800 })],
  ["an nbf that has come", () => appToken({ nbf: inSeconds(-60) })],
  ["an nbf within the leeway", () => appToken({ nbf: inSeconds(3) })],
  ["an iat", () => appToken({ iat: inSeconds(-1) })],
  ["an aud that is us", () => appToken({ aud: APP })],
  ["an aud that is us and others", () => appToken({ aud: ["other-app", APP] })],
  [
    "claims that nobody here knows",
    () => appToken({ scope: "x", nested: { a: [1] }, constructor: 1, toString: null }),
  ],
  [
    "a claim named __proto__",
    () => withPayloadText(`{"__proto__":{"tokenType":"user"},"iss":"${APP}","tokenType":"app"}`),
  ],
  [
    "the same key in several objects, and in texts",
    () => withPayloadText(`{"iss":"${APP}","tokenType":"app","a":{"b":1},"b":[{"b":"\\"b\\":"},{"b":2}]}`),
  ],
  ["almost as long as a token can be", () => appToken({ padding: "x".repeat(5_800) })],
];

const ACCEPTED_USERS: [name: string, claims: Record<string, unknown>][] = [
  ["nothing but a sub", {}],
  ["a sub named __proto__", { sub: "__proto__" }],
  ["a sub of 255 characters", { sub: "x".repeat(255) }],
  ["a sub that is an emoji", { sub: "👩‍💻" }],
  ["read all", { read: "all" }],
  ["read nothing", { read: {} }],
  ["read users", { read: { userIds: ["bob"] } }],
  ["read conversations", { read: { conversationIds: ["c"] } }],
];

/** Whether a header can carry the text as it is: HTTP itself takes off white space at both ends. */
function fitsHeader(text: string): boolean {
  return text === "" || /^[!-~](?:[ -~\t]*[!-~])?$/.test(text);
}

beforeAll(async () => {
  keyServer = createServer((_request, response) => {
    keysFetched++;
    response.end(JSON.stringify({ keys: [attackerSecretJwk, { ...attackerJwk, kid: "1" }] }));
  }).listen(0, "127.0.0.1");
  await once(keyServer, "listening");
  keyServerUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}`;
});
afterAll(() => keyServer.close());

describe.each(TRANSPORTS)("tokens over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      clock: { now: () => performance.now(), wallNow: () => WALL_NOW },
      app: { secrets: [SECRET, NEXT_SECRET] },
      apps: [
        { id: "other-app", secrets: [OTHER_SECRET] },
        { id: STRICT, secrets: [STRICT_SECRET], requireExp: true },
      ],
    });
  });
  afterAll(() => gateway.stop());

  /** What HTTP says to these credentials. */
  function ask(credentials: string, appId = APP) {
    return gateway.http("POST", `/v1/${appId}/presences`, {}, { authorization: `Bearer ${credentials}` });
  }

  async function expectRefusedByHttp(credentials: string, appId = APP): Promise<string> {
    const { status, headers, json } = await ask(credentials, appId);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    expect(json).toEqual({ errorCode: "UNAUTHORIZED", reasons: { authorization: [expect.any(String)] } });
    return json.reasons.authorization[0];
  }

  async function expectRefusedByWebSocket(token: string, appId = APP): Promise<void> {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", id: 7, token });
    expect(await client.take(() => true)).toMatchObject({ type: "error", id: 7, code: "UNAUTHENTICATED" });
    expect((await client.closed).code).toBe(4401);
    expect(client.inbox).toEqual([]);
  }

  async function connect(token: string, appId = APP) {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", id: 7, token });
    const answer = await client.take(() => true);
    client.terminate();
    return answer;
  }

  describe("refuses", () => {
    it.each(FORGED.filter(([, make]) => fitsHeader(make())))("over HTTP: %s", async (_name, make) => {
      // Not because it is a user's: that would be refused however good it is.
      expect(await expectRefusedByHttp(make())).not.toMatch(/user token/);
    });

    it.each(FORGED)("over WebSocket: %s", async (_name, make) => {
      await expectRefusedByWebSocket(make());
    });

    it("at a refresh as at a connect", async () => {
      for (const make of [
        () => appToken({ exp: inSeconds(-6) }),
        () => forge({ key: "attacker" }),
        () => "",
      ]) {
        const client = await gateway.connect();
        client.send({ type: "refresh", id: 8, token: make() });
        expect(await client.take(() => true)).toMatchObject({
          type: "error",
          id: 8,
          code: "UNAUTHENTICATED",
        });
        expect((await client.closed).code).toBe(4401);
      }
    });

    it("a good token of one app at another", async () => {
      await expectRefusedByHttp(forge(), "other-app");
      await expectRefusedByWebSocket(forge(), "other-app");
      const claims = { iss: "other-app", tokenType: "app" };
      expect((await ask(forge({ payload: claims, key: OTHER_SECRET }), "other-app")).status).toBe(200);
    });

    it("a token without exp where the app requires one", async () => {
      const claims = { iss: STRICT, tokenType: "app" };
      const endless = forge({ payload: claims, key: STRICT_SECRET });
      await expectRefusedByHttp(endless, STRICT);
      await expectRefusedByWebSocket(endless, STRICT);
      const finite = forge({ payload: { ...claims, exp: inSeconds(60) }, key: STRICT_SECRET });
      expect((await ask(finite, STRICT)).status).toBe(200);
      expect(await connect(finite, STRICT)).toMatchObject({ type: "connected" });
    });

    it("a user token over HTTP", async () => {
      expect(await expectRefusedByHttp(userToken({ read: "all" }))).toMatch(/user token/);
    });

    it("a bare secret over WebSocket", async () => {
      await expectRefusedByWebSocket(SECRET);
      await expectRefusedByWebSocket(encode(SECRET));
    });

    it.each([
      ["another app's secret", OTHER_SECRET],
      ["a secret and a letter", `${SECRET}x`],
      ["a secret but for a letter", SECRET.slice(0, -1)],
      ["a secret in capitals", SECRET.toUpperCase()],
      ["two secrets", `${SECRET},${NEXT_SECRET}`],
      ["a secret in quotes", `"${SECRET}"`],
      ["a secret in Base64", Buffer.from(SECRET).toString("base64")],
    ])("over HTTP: %s", async (_name, credentials) => {
      await expectRefusedByHttp(credentials);
    });

    it.each([
      ["no scheme", SECRET],
      ["the scheme alone", "Bearer"],
      ["another scheme", `Basic ${Buffer.from(`${APP}:${SECRET}`).toString("base64")}`],
      ["a scheme that only starts alike", `BearerX ${SECRET}`],
      ["two schemes", `Bearer Bearer ${SECRET}`],
      ["nothing", ""],
    ])("an Authorization header with %s", async (_name, authorization) => {
      const { status, headers } = await gateway.http("POST", `/v1/${APP}/presences`, {}, { authorization });
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    });

    it("a request without an Authorization header, whatever its query says", async () => {
      for (const query of ["", `?token=${forge()}`, `?access_token=${forge()}`]) {
        const response = await fetch(`${gateway.url}/v1/${APP}/presences${query}`, { method: "POST" });
        expect(response.status).toBe(401);
      }
    });

    it("a token that is too long, however good", async () => {
      const token = appToken({ padding: "x".repeat(6_300) });
      expect(token.length).toBeGreaterThan(8_192);
      await expectRefusedByHttp(token);
      const client = await gateway.socket();
      client.send({ type: "connect", token });
      expect((await client.closed).code).toBe(1009);
      expect(client.inbox).toEqual([]);
    });

    it("without asking anybody for keys", () => {
      expect(keysFetched).toBe(0);
    });

    it("without a word of the token in the log", () => {
      const token = forge({ key: "attacker" });
      const [header = "", payload = ""] = token.split(".");
      const log = gateway.log.join("");
      expect(log).toContain("unauthenticated");
      for (const secret of [SECRET, NEXT_SECRET, OTHER_SECRET, header, payload])
        expect(log).not.toContain(secret);
    });
  });

  describe("accepts", () => {
    it.each(ACCEPTED)("over both doors: %s", async (_name, make) => {
      expect(await ask(make())).toMatchObject({ status: 200, json: { data: {} } });
      expect(await connect(make())).toMatchObject({ type: "connected", id: 7, userId: null });
    });

    it.each(ACCEPTED_USERS)("a user over WebSocket: %s", async (_name, claims) => {
      const userId = claims.sub ?? USER_CLAIMS.sub;
      expect(await connect(userToken(claims))).toMatchObject({ type: "connected", userId });
    });

    it("each of the bare secrets over HTTP, whatever the case of the scheme", async () => {
      expect((await ask(SECRET)).status).toBe(200);
      expect((await ask(NEXT_SECRET)).status).toBe(200);
      for (const scheme of ["bearer", "BEARER"]) {
        const headers = { authorization: `${scheme} ${SECRET}` };
        expect((await gateway.http("GET", `/v1/${APP}/stats`, undefined, headers)).status).toBe(200);
      }
    });
  });
});
