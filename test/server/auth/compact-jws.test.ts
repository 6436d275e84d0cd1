import { expect, it } from "vitest";
import { parseJws, readPayload } from "../../../src/server/auth/compact-jws.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64url");
const HS256 = '{"alg":"HS256"}';
const token = (header: string, payload = "{}") => `${base64(header)}.${base64(payload)}.AAAA`;

it("takes a token apart", () => {
  const text = token(HS256, '{"sub":"alice"}');
  const parsed = parseJws(text);
  expect(parsed).toMatchObject({ ok: true, jws: { header: { alg: "HS256" }, input: text.slice(0, -5) } });
  if (!parsed.ok) return;
  expect([...parsed.jws.signature]).toEqual([0, 0, 0]);
  expect(readPayload(parsed.jws)).toEqual({ ok: true, payload: { sub: "alice" } });
});

it("takes a signature of an impossible length for an empty one", () => {
  for (const text of [`${token(HS256)}A`, token(HS256).replace("AAAA", "A")]) {
    const parsed = parseJws(text);
    expect(parsed.ok && parsed.jws.signature.length).toBe(0);
  }
});

it.each([
  ["with a critical extension", token('{"alg":"HS256","crit":["x"]}')],
  ["with a payload that is not encoded", token('{"alg":"HS256","b64":false}')],
  ["with a key twice in its header", token('{"alg":"HS256","alg":"HS256"}')],
  ["whose header is no object", token("[]")],
  ["without a signature", `${base64('{"alg":"none"}')}.${base64("{}")}.`],
  ["with padding", `${token(HS256)}=`],
  ["with white space", ` ${token(HS256)}`],
  ["of two parts", "a.b"],
  ["of no parts", ""],
])("refuses a token %s", (_what, text) => {
  expect(parseJws(text)).toEqual({ ok: false, reason: expect.stringMatching(/^the token/) });
});

it.each([
  ["with a key twice", '{"sub":"alice","sub":"bob"}'],
  ["that is no object", "[]"],
  ["that is no JSON", "{"],
])("refuses a payload %s", (_what, payload) => {
  const parsed = parseJws(token(HS256, payload));
  if (!parsed.ok) throw new Error(parsed.reason);
  expect(readPayload(parsed.jws)).toEqual({ ok: false, reason: expect.stringMatching(/^the token/) });
});

it("reads each header anew, and the same one again", () => {
  const algorithms = [HS256, '{"alg":"RS256"}', HS256, HS256, '{"alg":"HS256","crit":["x"]}', HS256].map(
    (header) => {
      const parsed = parseJws(token(header));
      return parsed.ok ? parsed.jws.header.alg : parsed.reason;
    },
  );
  expect(algorithms).toEqual(["HS256", "RS256", "HS256", "HS256", "the token has a crit header", "HS256"]);
});

it("refuses a header with a key twice again and again", () => {
  const twice = token('{"alg":"HS256","alg":"HS256"}');
  for (const text of [token(HS256), twice, twice]) parseJws(text);
  expect(parseJws(twice)).toEqual({ ok: false, reason: "the token has a key twice" });
});

it.each([
  ["with white space", '{ "sub": "alice", "sub": "bob" }'],
  ["within a claim", '{"read":{"counts":true,"counts":true}}'],
  ["of which one is written with escapes", '{"sub":"alice","s\\u0075b":"alice"}'],
  ["like a number", '{"1":1,"0":0,"1":1}'],
])("refuses a payload with a key twice %s", (_what, payload) => {
  const parsed = parseJws(token(HS256, payload));
  if (!parsed.ok) throw new Error(parsed.reason);
  expect(readPayload(parsed.jws)).toEqual({ ok: false, reason: "the token has a key twice" });
});
