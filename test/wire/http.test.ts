import { Agent, request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { expectError, expectSafe } from "../support/http-errors.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

const V1 = `/v1/${APP}`;

describe.each(TRANSPORTS)("HTTP over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

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

  it("the path of WebSockets is 426 without an upgrade", async () => {
    const response = await gateway.http("GET", `${V1}/realtime`);
    await expectError(response, 426, "UPGRADE_REQUIRED");
    expect(response.headers.get("upgrade")).toBe("websocket");
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
