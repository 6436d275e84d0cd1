import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { APP_CLAIMS, appToken, encode, forge, HS256, USER_CLAIMS, userToken } from "../support/forge.ts";
import { APP, SECRET } from "../support/gateway.ts";

// Tokens that are forged, and odd ones that are not. `tokens.test.ts` shows them to a gateway.

export const OTHER_SECRET = "a secret of another app, just as long as it has to be";
export const NEXT_SECRET = "the secret that the test app is moving to, long enough";

/** The wall clock of these gateways stands still: what is a second from a bound stays on its side. */
export const WALL_NOW = 1_780_000_000_000;
export const inSeconds = (offset: number) => WALL_NOW / 1_000 + offset;

const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
const attackerPem = attacker.publicKey.export({ type: "spki", format: "pem" }).toString();
const attackerJwk = attacker.publicKey.export({ format: "jwk" });
const attackerSecretJwk = { kty: "oct", k: Buffer.from("attacker").toString("base64url"), alg: "HS256" };
const attackerEc = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** What the attacker's server says to those who ask for keys. */
export const ATTACKER_JWKS = { keys: [attackerSecretJwk, { ...attackerJwk, kid: "1" }] };

/** A server that a gateway would ask for keys, were it to believe a header that tells it where they are. */
export const keyServer = { url: "" };

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

/** Tokens that every door refuses. A name says what is wrong with one. */
export const FORGED: [name: string, make: () => string][] = [
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
  ["a jku", () => rs256({ jku: `${keyServer.url}/jwks.json`, kid: "1" })],
  [
    "a jku, symmetric",
    () => forge({ header: { ...HS256, jku: `${keyServer.url}/oct.json` }, key: "attacker" }),
  ],
  ["an x5u", () => rs256({ x5u: `${keyServer.url}/chain.pem` })],
  [
    "a kid that is a path, signed with nothing",
    () => forge({ header: { ...HS256, kid: "../../../../../../dev/null" }, key: "" }),
  ],
  [
    "a kid that is an address",
    () => forge({ header: { ...HS256, kid: `${keyServer.url}/key` }, key: "attacker" }),
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

/** Tokens of the app that every door accepts, however odd they are. */
export const ACCEPTED: [name: string, make: () => string][] = [
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

/** Claims of user tokens that are accepted. */
export const ACCEPTED_USERS: [name: string, claims: Record<string, unknown>][] = [
  ["nothing but a sub", {}],
  ["a sub named __proto__", { sub: "__proto__" }],
  ["a sub of 255 characters", { sub: "x".repeat(255) }],
  ["a sub that is an emoji", { sub: "👩‍💻" }],
  ["read all", { read: "all" }],
  ["read nothing", { read: {} }],
  ["read users", { read: { userIds: ["bob"] } }],
  ["read conversations", { read: { conversationIds: ["c"] } }],
];
