import { Agent, request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

const V1 = `/v1/${APP}`;
const MAX_BODY = 512 * 1024;

/** Ids that mean something to JavaScript, to paths, or to careless code in between. */
const ODD_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "👩‍💻",
  "é",
  "e\u0301",
  "\u202eright to left",
  "a b",
  " ",
  "+",
  "a/b",
  "/",
  "..",
  "../../stats",
  "%",
  "%2F",
  "%252F",
  "a%2fb",
  "?filter=1",
  "#x",
  ";x=1",
  ":userId",
  "*",
  "{}",
  "null",
  '"',
  "\\",
  "x".repeat(255),
  "👩".repeat(127),
];

describe.each(TRANSPORTS)("HTTP over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

  /** What every answer has, whatever it says. */
  function expectSafe(headers: Headers, cacheControl = "no-store"): void {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cache-control")).toBe(cacheControl);
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }

  async function expectError(
    { status, headers, json }: Awaited<ReturnType<TestGateway["http"]>>,
    expected: number,
    errorCode: string,
  ): Promise<void> {
    expect(status).toBe(expected);
    expectSafe(headers);
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(json).toEqual({ errorCode, reasons: expect.any(Object) });
    for (const reasons of Object.values(json.reasons)) expect(reasons).toEqual([expect.any(String)]);
    expect(Object.keys(json.reasons)).not.toHaveLength(0);
    expect(JSON.stringify(json)).not.toMatch(/\bat \S+:\d+|node_modules|\.ts\b|\.js\b/);
  }

  /** The page may be cached, and is revalidated each time; everything else is not cached. */
  const cacheControlOf = (path: string) => (path === "/dashboard/" ? "no-cache" : "no-store");
  const stream = `${V1}/presences/stream`;
  const ROUTES: [method: string, path: string, status: number, contentType: string][] = [
    ["POST", `${V1}/presences`, 200, "application/json; charset=utf-8"],
    ["GET", `${V1}/users/nobody/sessions`, 200, "application/json; charset=utf-8"],
    ["DELETE", `${V1}/users/nobody/sessions`, 200, "application/json; charset=utf-8"],
    ["GET", `${V1}/users/sessions?userId=nobody`, 200, "application/json; charset=utf-8"],
    ["DELETE", `${V1}/users/sessions?userId=nobody`, 200, "application/json; charset=utf-8"],
    ["POST", `${V1}/presences/count`, 200, "application/json; charset=utf-8"],
    ["DELETE", `${V1}/users/nobody`, 200, "application/json; charset=utf-8"],
    ["GET", `${V1}/users/nobody/status`, 200, "application/json; charset=utf-8"],
    ["PUT", `${V1}/users/nobody/status`, 200, "application/json; charset=utf-8"],
    ["PUT", `${V1}/users/nobody/sessions/key`, 200, "application/json; charset=utf-8"],
    ["DELETE", `${V1}/users/nobody/sessions/key`, 200, "application/json; charset=utf-8"],
    ["GET", `${V1}/stats`, 200, "application/json; charset=utf-8"],
    ["GET", `${V1}/node`, 200, "application/json; charset=utf-8"],
    ["GET", "/healthz", 200, "application/json; charset=utf-8"],
    ["GET", "/readyz", 200, "application/json; charset=utf-8"],
    ["GET", "/openapi.json", 200, "application/json; charset=utf-8"],
    ["GET", "/dashboard/", 200, "text/html; charset=utf-8"],
    ["GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"],
  ];

  it.each(ROUTES)("%s %s answers, with safe headers", async (method, path, status, contentType) => {
    const response = await gateway.http(method, path);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe(contentType);
    expectSafe(response.headers, cacheControlOf(path));
  });

  it.each(ROUTES.filter(([method]) => method === "GET"))(
    "HEAD for %s %s: the head alone",
    async (_method, path) => {
      const get = await gateway.http("GET", path);
      const head = await gateway.http("HEAD", path);
      expect(head.status).toBe(200);
      expect(head.text).toBe("");
      expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
      expectSafe(head.headers, cacheControlOf(path));
      // What these tell changes from one request to the next.
      if (path !== "/metrics" && path !== `${V1}/node`)
        expect(head.headers.get("content-length")).toBe(String(Buffer.byteLength(get.text)));
    },
  );

  it("HTTP/1.0 is served or refused clearly", async () => {
    const text = await sendRaw(gateway.gateway.port, "GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n");
    if (transport === "ws") expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\{"status":"alive"\}$/s);
    else expect(text).toMatch(/^HTTP\/1\.1 505 .*does not support HTTP\/1\.0/s);
  });

  it("a whole URL as the target is served or refused clearly", async () => {
    const text = await sendRaw(
      gateway.gateway.port,
      "GET http://x/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    if (transport === "ws") expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\{"status":"alive"\}$/s);
    else expect(text).toMatch(/^HTTP\/1\.1 505 /);
  });

  it("the server as a whole as the target is refused clearly", async () => {
    const text = await sendRaw(gateway.gateway.port, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    if (transport === "ws") expect(text).toMatch(/^HTTP\/1\.1 404 .*"NOT_FOUND"/s);
    else expect(text).toMatch(/^HTTP\/1\.1 505 /);
  });

  it.each(["G,T", "X:GET", '"GET"'])("the method %j, which is no token, is 400", async (method) => {
    const head = Buffer.from(`${method} /healthz HTTP/1.1\r\nHost: x\r\n\r\n`, "latin1");
    const text = await sendRaw(gateway.gateway.port, head);
    expect(statuses(text)).toEqual([400]);
    expect(text).toContain('"errorCode":"BAD_REQUEST"');
  });

  it("HEAD leaves the connection to the next request", async () => {
    const head = (method: string, more = "") => `${method} /openapi.json HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await sendRaw(
      gateway.gateway.port,
      [head("HEAD"), head("GET", "Connection: close\r\n")].join(""),
    );
    expect(statuses(text)).toEqual([200, 200]);
  });

  it("HEAD for a stream starts no stream", async () => {
    const { status, headers } = await gateway.http("HEAD", stream);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(gateway.presence().subscriptions).toBe(0);
  });

  it("the dashboard may load nothing from elsewhere, and is found without its slash", async () => {
    const page = await gateway.http("GET", "/dashboard/");
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    const response = await fetch(`${gateway.url}/dashboard`, { redirect: "manual" });
    expect(response.status).toBe(308);
    expect(response.headers.get("location")).toBe("dashboard/");
    expectSafe(response.headers);
  });

  it.each([
    ["PUT", `${V1}/presences`, "POST"],
    ["GET", `${V1}/presences`, "POST"],
    ["HEAD", `${V1}/presences`, "POST"],
    ["DELETE", `${V1}/presences`, "POST"],
    ["OPTIONS", `${V1}/presences`, "POST"],
    ["POST", `${V1}/users/alice/sessions`, "DELETE, GET, HEAD"],
    ["PATCH", `${V1}/users/alice/sessions`, "DELETE, GET, HEAD"],
    ["POST", `${V1}/stats`, "GET, HEAD"],
    ["POST", `${V1}/node`, "GET, HEAD"],
    ["POST", stream, "GET, HEAD"],
    ["POST", `${V1}/realtime`, "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["DELETE", "/metrics", "GET, HEAD"],
    ["PUT", "/openapi.json", "GET, HEAD"],
    ["POST", "/dashboard/", "GET, HEAD"],
  ])("%s %s is 405 and says what is allowed", async (method, path, allow) => {
    const response = await gateway.http(method, path, method === "PUT" ? {} : undefined);
    expect(response.headers.get("allow")).toBe(allow);
    if (method === "HEAD") expect(response.status).toBe(405);
    else await expectError(response, 405, "METHOD_NOT_ALLOWED");
  });

  it("TRACE echoes nothing", async () => {
    const head = `Host: x\r\nX-Private: echo-me\r\nAuthorization: Bearer ${SECRET}`;
    const text = await sendRaw(gateway.gateway.port, `TRACE ${V1}/stats HTTP/1.1\r\n${head}\r\n\r\n`);
    expect(statuses(text)).toEqual([405]);
    expect(text).not.toContain("echo-me");
  });

  it.each([
    "/",
    "/v1",
    "/v1/",
    V1,
    `${V1}/`,
    `${V1}/nothing`,
    `${V1}/stats/`,
    `/${V1}/stats`,
    `/V1/${APP}/stats`,
    `/v1%2F${APP}/stats`,
    `${V1}/users/alice/nothing`,
    `${V1}/users/a/b/sessions`,
    "/dashboard/../metrics/x",
    "/__proto__",
    "/constructor",
    "/metrics/",
    "/%zz",
    "/%00",
  ])("%s is 404", async (path) => {
    await expectError(await gateway.http("GET", path), 404, "NOT_FOUND");
  });

  it("/ is 404 in production, and the answer says where to look", async () => {
    const response = await gateway.http("GET", "/", undefined, { authorization: "" });
    await expectError(response, 404, "NOT_FOUND");
    expect(response.json.reasons.path[0]).toMatch(/\/openapi\.json.*\/dashboard\//);
  });

  it("a wrong secret is called one, and a malformed token a token", async () => {
    const ask = (credentials: string) =>
      gateway.http("GET", `${V1}/stats`, undefined, { authorization: `Bearer ${credentials}` });
    const wrong = await ask("not-the-secret");
    await expectError(wrong, 401, "UNAUTHORIZED");
    expect(wrong.json.reasons.authorization).toEqual([expect.stringMatching(/^wrong secret: (?!.*JWT)/)]);
    expect((await ask("a.b.c")).json.reasons.authorization).toEqual(["the token is not a JWT"]);
  });

  it("a path of 8,000 characters is 404", async () => {
    await expectError(await gateway.http("GET", `/${"x".repeat(8_000)}`), 404, "NOT_FOUND");
  });

  it.each(["nowhere", "__proto__", "constructor", "toString", "TEST-APP", "%74est-app2"])(
    "the app %s is unknown at every route",
    async (appId) => {
      for (const [method, path] of [
        ["POST", "presences"],
        ["GET", "presences/stream"],
        ["GET", "users/alice/sessions"],
        ["DELETE", "users/alice/sessions"],
        ["GET", "stats"],
        ["GET", "node"],
        ["GET", "realtime"],
      ] as const) {
        await expectError(await gateway.http(method, `/v1/${appId}/${path}`), 404, "NOT_FOUND");
      }
    },
  );

  it.each([
    ["POST", "presences"],
    ["GET", "presences/stream"],
    ["GET", "users/alice/sessions"],
    ["DELETE", "users/alice/sessions"],
    ["GET", "stats"],
    ["GET", "node"],
  ])("%s %s without credentials is 401, whatever else is wrong", async (method, path) => {
    const body = method === "POST" ? "{" : undefined;
    const response = await gateway.http(method, `${V1}/${path}?filter=x`, body, { authorization: "" });
    await expectError(response, 401, "UNAUTHORIZED");
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
  });

  it("the path of WebSockets is 426 without an upgrade", async () => {
    const response = await gateway.http("GET", `${V1}/realtime`);
    await expectError(response, 426, "UPGRADE_REQUIRED");
    expect(response.headers.get("upgrade")).toBe("websocket");
  });

  it.each(["%zz", "%", "%f", "%ff", "%c3", "%ed%a0%80", "%c0%af"])(
    "the malformed id %s is refused",
    async (id) => {
      for (const method of ["GET", "DELETE"]) {
        const { status, json } = await gateway.http(method, `${V1}/users/${id}/sessions`);
        expect([400, 404]).toContain(status);
        expect(json.errorCode).toBe(status === 400 ? "BAD_REQUEST" : "NOT_FOUND");
      }
    },
  );

  it.each(["%00", "%0a", "%7f", "%c2%85"])("the id %s is not one", async (id) => {
    await expectError(await gateway.http("GET", `${V1}/users/${id}/sessions`), 400, "BAD_REQUEST");
  });

  it("an id of 256 UTF-16 units is not one", async () => {
    for (const id of ["x".repeat(256), "%f0%9f%91%a9".repeat(128)]) {
      await expectError(await gateway.http("GET", `${V1}/users/${id}/sessions`), 400, "BAD_REQUEST");
    }
  });

  it.each(["\xff", "é"])("a path with the bare byte %j is refused", async (byte) => {
    const head = `GET ${V1}/users/${byte}/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`;
    expect(statuses(await sendRaw(gateway.gateway.port, Buffer.from(head, "latin1")))).toEqual([400]);
    expect(statuses(await sendRaw(gateway.gateway.port, Buffer.from(head, "utf8")))).toEqual([400]);
  });

  describe("a body", () => {
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

  describe("a stream", () => {
    it.each([
      ["no JSON", "x"],
      ["another type", "%5B%5D"],
      ["a wrong field", "%7B%22userIds%22%3A1%7D"],
      ["malformed percent", "%zz"],
      ["half a character", "%7B%22userIds%22:[%22%ff%22]%7D"],
      ["half a surrogate pair", "%7B%22userIds%22:[%22%5Cud800%22]%7D"],
    ])("with a filter of %s is 400", async (_name, filter) => {
      await expectError(await gateway.http("GET", `${stream}?filter=${filter}`), 400, "BAD_REQUEST");
      expect(gateway.presence().subscriptions).toBe(0);
    });
  });

  it.each([
    ["no credentials", {}, "send Authorization: Bearer"],
    ["another scheme", { authorization: "Basic YTpi" }, "send Authorization: Bearer"],
    ["a wrong secret", { authorization: "Bearer use-32-random" }, "none of this app's secrets"],
    ["what is nearly a token", { authorization: "Bearer a.b" }, "not a JWT"],
  ])("with %s is 401, which says what is wrong", async (_name, headers, reason) => {
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = await sendRaw(
      gateway.gateway.port,
      `GET ${V1}/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head.join("")}\r\n`,
    );
    expect(statuses(text)).toEqual([401]);
    expect(text).toContain(reason);
  });

  describe("odd ids", () => {
    it.each(ODD_IDS)("%j is a key like any other, in paths and in data", async (id) => {
      const client = await gateway.connect();
      const sessionId = await client.open({
        userId: id,
        selectedConversationId: id,
        custom: { __proto__: "x" },
      });
      const { data } = (await gateway.http("POST", `${V1}/presences`, { userIds: [id] })).json;
      expect(Object.keys(data)).toEqual([id]);
      expect(Object.getOwnPropertyDescriptor(data, id)?.value.widgets).toMatchObject([
        { sessionId, selectedConversationId: id },
      ]);
      expect(Object.keys(await gateway.query({ selectedConversationId: id }))).toEqual([id]);
      const path = `${V1}/users/${encodeURIComponent(id).replaceAll(".", "%2E")}/sessions`;
      expect((await raw("GET", path)).json).toEqual([{ isTyping: false, currentConversationId: id }]);
      expect((await raw("DELETE", path)).json).toEqual({ ended: 1 });
      expect(await client.next("closed")).toEqual({ type: "closed", sessionId, cause: "kicked" });
      expect(await gateway.query()).toEqual({});
      client.terminate();
    });

    it.each(ODD_IDS)("%j can be asked for in the query", async (id) => {
      const client = await gateway.connect();
      await client.open({ userId: id, selectedConversationId: id });
      const path = `${V1}/users/sessions?userId=${encodeURIComponent(id)}`;
      expect((await gateway.http("GET", path)).json).toEqual([
        { isTyping: false, currentConversationId: id },
      ]);
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 1 });
      client.terminate();
    });

    it.each(["", "?", "?userId=", "?userId=a&userId=b", "?userid=a", "?userId=a&x=1", "?userId=%ff"])(
      "and no id is 400: %j",
      async (query) => {
        await expectError(await gateway.http("GET", `${V1}/users/sessions${query}`), 400, "BAD_REQUEST");
        await expectError(await gateway.http("DELETE", `${V1}/users/sessions${query}`), 400, "BAD_REQUEST");
      },
    );

    /** Without the tidying of paths that fetch does: it takes %2E%2E for two dots. */
    async function raw(method: string, path: string) {
      const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nConnection: close\r\n\r\n`;
      const text = await sendRaw(gateway.gateway.port, head);
      expect(statuses(text)).toEqual([200]);
      const body = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1").toString();
      return { json: JSON.parse(body) };
    }

    it("one that looks alike is another", async () => {
      const client = await gateway.connect();
      await client.open({ userId: "é" });
      expect(
        (await gateway.http("GET", `${V1}/users/${encodeURIComponent("e\u0301")}/sessions`)).json,
      ).toEqual([]);
      expect((await gateway.http("GET", `${V1}/users/%C3%A9/sessions`)).json).toHaveLength(1);
      expect((await gateway.http("DELETE", `${V1}/users/%c3%a9/sessions`)).json).toEqual({ ended: 1 });
      client.terminate();
    });

    it("leave every object as it was", () => {
      expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(
        [
          "__defineGetter__",
          "__defineSetter__",
          "__lookupGetter__",
          "__lookupSetter__",
          "__proto__",
          "constructor",
          "hasOwnProperty",
          "isPrototypeOf",
          "propertyIsEnumerable",
          "toLocaleString",
          "toString",
          "valueOf",
        ].sort(),
      );
    });
  });

  describe("a user's sessions", () => {
    it("are listed background first, then visible widgets, each in the order of opening", async () => {
      const client = await gateway.connect();
      await client.open({ userId: "alice", selectedConversationId: "w1", isTyping: true });
      await client.open({ userId: "alice", kind: "background", selectedConversationId: "b1" });
      await client.open({
        userId: "alice",
        selectedConversationId: "hidden",
        visible: false,
        isTyping: true,
      });
      await client.open({ userId: "alice" });
      await client.open({ userId: "alice", kind: "background" });
      const path = `${V1}/users/alice/sessions`;
      expect((await gateway.http("GET", path)).json).toEqual([
        { isTyping: false, currentConversationId: "b1" },
        { isTyping: false, currentConversationId: "hidden" },
        { isTyping: false, currentConversationId: null },
        { isTyping: true, currentConversationId: "w1" },
        { isTyping: false, currentConversationId: null },
      ]);
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 5 });
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 0 });
      expect((await gateway.http("GET", path)).json).toEqual([]);
      client.terminate();
    });

    it("are ended on every socket, those of other users are not, and disconnected ones cannot be resumed", async () => {
      const [one, two, lost] = [
        await gateway.connect("alice"),
        await gateway.connect("alice"),
        await gateway.connect("alice"),
      ];
      const bob = await gateway.connect("bob");
      const ids = [await one.open({}), await two.open({}), await lost.open({})];
      await bob.open({});
      lost.terminate();
      await expect.poll(() => gateway.presence().sockets).toBe(3);
      expect((await gateway.http("DELETE", `${V1}/users/alice/sessions`)).json).toEqual({ ended: 3 });
      expect(await one.next("closed")).toEqual({ type: "closed", sessionId: ids[0], cause: "kicked" });
      expect(await two.next("closed")).toEqual({ type: "closed", sessionId: ids[1], cause: "kicked" });
      expect(Object.keys(await gateway.query())).toEqual(["bob"]);
      const again = await one.ask({ type: "open", kind: "widget", sessionId: ids[2] });
      expect(again).toMatchObject({ type: "opened", resumed: false });
      for (const client of [one, two, bob]) client.socket.close();
      await expect.poll(() => gateway.presence().sockets).toBe(0);
    });
  });

  it("stats count users, sessions and views", async () => {
    const client = await gateway.connect();
    await client.open({ userId: "alice", hasFocus: true, isTyping: true });
    await client.open({ userId: "alice", visible: false, hasFocus: true });
    await client.open({ userId: "bob", kind: "background" });
    await client.subscribe({});
    await client.subscribe({ hasFocus: true });
    const other = await gateway.connect("bob");
    await other.subscribe({});
    const counts = {
      users: 2,
      sessions: 3,
      widgets: 1,
      backgroundSessions: 2,
      focused: 1,
      typing: 1,
      sockets: 2,
      subscriptions: 3,
      views: 2,
    };
    expect((await gateway.http("GET", `${V1}/stats`)).json).toEqual(counts);
    client.socket.close();
    other.socket.close();
    const zeros = Object.fromEntries(Object.keys(counts).map((name) => [name, 0]));
    await expect.poll(async () => (await gateway.http("GET", `${V1}/stats`)).json).toEqual(zeros);
  });

  it("the node describes itself and its health, and says nothing about apps", async () => {
    const { json } = await gateway.http("GET", `${V1}/node`);
    expect(json).toEqual({
      nodeId: gateway.node.nodeId,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      transport,
      uptimeSeconds: expect.any(Number),
      rssBytes: expect.any(Number),
      heapUsedBytes: expect.any(Number),
      eventLoopDelayMs: { p50: expect.any(Number), p99: expect.any(Number), max: expect.any(Number) },
    });
    expect(json.rssBytes).toBeGreaterThan(json.heapUsedBytes);
    expect(json.eventLoopDelayMs.max).toBeGreaterThanOrEqual(json.eventLoopDelayMs.p50);
    const token = (claims: TokenClaims) => gateway.token(claims).then((text) => `Bearer ${text}`);
    const ask = (authorization: string) => gateway.http("GET", `${V1}/node`, undefined, { authorization });
    expect((await ask(await token({ tokenType: "app" }))).status).toBe(200);
    const user = await token({ tokenType: "user", sub: "alice", read: "all" });
    await expectError(await ask(user), 401, "UNAUTHORIZED");
  });

  describe("a connection", () => {
    it("takes 50 KB of URL, cookies and the like, and refuses 80 KB", async () => {
      const ask = (bytes: number) => {
        const head = `GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: ${"x".repeat(bytes)}\r\n\r\n`;
        return sendRaw(gateway.gateway.port, head);
      };
      expect(statuses(await ask(50_000))).toEqual([200]);
      expect(statuses(await ask(80_000))).toEqual([431]);
    });

    it("takes request after request, though each offers another protocol", async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const headers = {
        authorization: `Bearer ${SECRET}`,
        connection: "Upgrade, HTTP2-Settings",
        upgrade: "h2c",
      };
      for (const body of ["{}", '{"userIds":[]}', ""]) {
        const status = await new Promise((resolve, reject) => {
          const request = httpRequest(
            `${gateway.url}${V1}/presences`,
            { method: "POST", agent, headers: { ...headers, "content-length": body.length } },
            (response) => response.resume().on("end", () => resolve(response.statusCode)),
          );
          request.on("error", reject);
          request.end(body);
        });
        expect(status).toBe(200);
      }
      agent.destroy();
    });

    it("may write its header names in any case", async () => {
      const head = `GET ${V1}/stats HTTP/1.1\r\nhOsT: x\r\nAUTHORIZATION: bearer ${SECRET}\r\n\r\n`;
      expect(statuses(await sendRaw(gateway.gateway.port, head))).toEqual([200]);
    });
  });
});

describe.each(TRANSPORTS)("readiness and rates over %s", (transport) => {
  it("a node that drains is alive, not ready, and takes no new clients", async () => {
    // The clock stands still, so the client is not sent away before the end of the test.
    const gateway = await TestGateway.start(transport, {
      env: { DRAIN_MS: "60000" },
      clock: new HandClock(),
    });
    expect((await gateway.http("GET", "/readyz")).json).toEqual({ status: "ready" });
    expect((await gateway.http("GET", "/healthz")).json).toEqual({ status: "alive" });
    const client = await gateway.connect();
    const stopping = gateway.gateway.stop();
    await client.next("draining");
    const ready = await gateway.http("GET", "/readyz");
    expect(ready.status).toBe(503);
    expect(ready.headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await gateway.http("GET", "/healthz")).status).toBe(200);
    expect((await gateway.http("POST", `${V1}/presences`, {})).status).toBe(200);
    const refused = await gateway.http("GET", `${V1}/presences/stream`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    await gateway.stop();
    await stopping;
  });

  it("over HTTP_REQUESTS_PER_SECOND it is 429 with Retry-After, for that app alone", async () => {
    const apps = [{ id: "other-app", secrets: ["another secret"] }];
    const clock = new HandClock();
    const env = { HTTP_REQUESTS_PER_SECOND: "2" };
    const gateway = await TestGateway.start(transport, { apps, clock, env });
    // Whoever has no credentials uses up nothing.
    for (let i = 0; i < 10; i++)
      await gateway.http("GET", `${V1}/stats`, undefined, { authorization: "Bearer x" });
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await gateway.http("GET", `${V1}/stats`));
    expect(answers.slice(0, 4).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const over = answers[4]!;
    expect(over.status).toBe(429);
    expect(over.headers.get("retry-after")).toBe("1");
    expect(over.json).toEqual({ errorCode: "TOO_MANY_REQUESTS", reasons: { rate: [expect.any(String)] } });
    const other = { authorization: "Bearer another secret" };
    expect((await gateway.http("GET", "/v1/other-app/stats", undefined, other)).status).toBe(200);
    expect((await gateway.http("GET", "/healthz")).status).toBe(200);
    clock.turn(gateway, 499);
    expect((await gateway.http("GET", `${V1}/stats`)).status).toBe(429);
    clock.turn(gateway, 1);
    expect((await gateway.http("GET", `${V1}/stats`)).status).toBe(200);
    await gateway.stop();
  });
});
