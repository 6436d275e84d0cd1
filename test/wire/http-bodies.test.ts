import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { expectError } from "../support/http-errors.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

const V1 = `/v1/${APP}`;
const MAX_BODY = 512 * 1024;

describe.each(TRANSPORTS)("a body over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

  const post = (body: string, headers?: Record<string, string>) =>
    gateway.http("POST", `${V1}/presences`, body, headers);

  async function postBytes(body: Buffer, headers: Record<string, string> = {}) {
    const response = await fetch(`${gateway.url}${V1}/presences`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json", ...headers },
      body: new Uint8Array(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
  }

  it("may be empty, {} or missing", async () => {
    for (const body of [undefined, "", "{}", " {} ", '{"expandUser":{"userIds":1}}']) {
      const { status, json } = await gateway.http("POST", `${V1}/presences`, body);
      expect(status).toBe(200);
      expect(json).toEqual({ data: {} });
    }
  });

  it.each([
    '{"unknown":1}',
    '{"__proto__":{"userIds":1}}',
    "x",
    "{",
    "{}x",
    "{'a':1}",
    '{"a":1,}',
    " ",
    "NaN",
    "undefined",
    '"\u0001"',
    "\ufeff{}",
    "[",
    '{"userIds":{"length":{"toString":null}}}',
    "null",
    "[]",
    "[{}]",
    '"{}"',
    "1",
    "true",
  ])("that is %j is 400", async (body) => {
    await expectError(await post(body), 400, "BAD_REQUEST");
  });

  it.each([
    [[0xff], "a byte that UTF-8 does not have"],
    [[0xc3], "half a character"],
    [[0xed, 0xa0, 0x80], "half a surrogate pair"],
    [[0xc0, 0x80], "a character that is too long"],
  ])("with %j, %s, is 400", async (bytes) => {
    const body = Buffer.concat([Buffer.from('{"userIds":["'), Buffer.from(bytes), Buffer.from('"]}')]);
    await expectError(await postBytes(body), 400, "BAD_REQUEST");
  });

  it("that is nested as deep as it can be is 400, or 200 in what the gateway ignores", async () => {
    const deep = "[".repeat(100 * 1024) + "]".repeat(100 * 1024);
    await expectError(await post(deep), 400, "BAD_REQUEST");
    await expectError(await post(`{"userIds":${deep}}`), 400, "BAD_REQUEST");
    await expectError(await post(`{"selectedConversationId":${deep}}`), 400, "BAD_REQUEST");
    expect((await post(`{"unknown":${deep}}`)).status).toBe(400);
    expect((await post(`{"expandUser":${deep}}`)).status).toBe(200);
    const maps = `${'{"a":'.repeat(40 * 1024)}1${"}".repeat(40 * 1024)}`;
    expect((await post(maps)).status).toBe(400);
  });

  it("of 512 KiB is read, of one byte more is 413", async () => {
    const exact = Buffer.from("{}".padEnd(MAX_BODY));
    expect(await postBytes(exact)).toMatchObject({ status: 200, json: { data: {} } });
    const head = `POST ${V1}/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n`;
    const over = `${head}Content-Length: ${MAX_BODY + 1}\r\n\r\n`;
    // It is refused by its length alone, with all of it, some of it or none of it sent.
    for (const body of ["", "{}", "{}".padEnd(MAX_BODY + 1)]) {
      const text = await sendRaw(gateway.gateway.port, over + body);
      expect(statuses(text)).toEqual([413]);
      expect(text).toContain('{"errorCode":"PAYLOAD_TOO_LARGE"');
    }
    // What is far too long is not even read to its end: the connection ends.
    const text = await sendRaw(gateway.gateway.port, `${head}Content-Length: 999999999\r\n\r\n{}`);
    expect(statuses(text)).toEqual([413]);
    expect(text).toMatch(/connection: close/i);
  });

  it("may come in small pieces", async () => {
    const body = JSON.stringify({ userIds: ["👩‍💻", "x".repeat(200)] });
    const request = httpRequest(`${gateway.url}${V1}/presences`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-length": Buffer.byteLength(body) },
    });
    const status = new Promise((resolve) =>
      request.on("response", (response) => resolve(response.resume().statusCode)),
    );
    for (const byte of Buffer.from(body)) {
      request.write(Buffer.from([byte]));
      if (byte % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    request.end();
    expect(await status).toBe(200);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/xml",
    "application/jsonp",
    "text/json",
    "application/json; charset=latin1",
    'application/json; charset="utf-16"',
    "json",
    "application/json, text/plain",
  ])("of type %s is 415", async (type) => {
    await expectError(await post("{}", { "content-type": type }), 415, "UNSUPPORTED_MEDIA_TYPE");
  });

  it.each([
    "application/json",
    "APPLICATION/JSON",
    "application/json;charset=utf-8",
    "application/json; charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/problem+json",
    "application/vnd.example.v1+json; profile=x",
  ])("of type %s is read", async (type) => {
    expect((await post("{}", { "content-type": type })).status).toBe(200);
  });
});
