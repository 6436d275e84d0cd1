import { createHmac, createSecretKey } from "node:crypto";
import { expect, it } from "vitest";
import { readSigned } from "../../../src/server/auth/compact-jws.ts";

const KEYS = ["one", "two"].map((secret) => createSecretKey(secret, "utf8"));
const base64 = (text: string) => Buffer.from(text).toString("base64url");

function sign(header: string, payload: string, secret = "one"): string {
  const input = `${base64(header)}.${base64(payload)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

const HS256 = '{"alg":"HS256"}';

it.each(["one", "two"])("reads what is signed with the secret %j", (secret) => {
  expect(readSigned(sign(HS256, '{"sub":"alice"}', secret), KEYS)).toEqual({
    ok: true,
    payload: { sub: "alice" },
  });
});

it.each([
  ["signed with another secret", sign(HS256, "{}", "three")],
  ["with another algorithm", sign('{"alg":"HS512"}', "{}")],
  ["without a signature", `${base64('{"alg":"none"}')}.${base64("{}")}.`],
  ["that says that it is not signed", sign('{"alg":"none"}', "{}")],
  ["with a critical extension", sign('{"alg":"HS256","crit":["x"]}', "{}")],
  ["with a payload that is not encoded", sign('{"alg":"HS256","b64":false}', "{}")],
  ["with a key twice in its header", sign('{"alg":"HS256","alg":"HS256"}', "{}")],
  ["with a key twice in its payload", sign(HS256, '{"sub":"alice","sub":"bob"}')],
  ["whose payload is no object", sign(HS256, "[]")],
  ["whose payload is no JSON", sign(HS256, "{")],
  ["with padding", `${sign(HS256, "{}")}=`],
  ["with white space", ` ${sign(HS256, "{}")}`],
  ["of an impossible length", `${sign(HS256, "{}")}AA`],
  ["of two parts", "a.b"],
  ["of no parts", ""],
])("refuses a token %s", (_what, token) => {
  expect(readSigned(token, KEYS)).toEqual({ ok: false, reason: expect.stringMatching(/^the token/) });
});
