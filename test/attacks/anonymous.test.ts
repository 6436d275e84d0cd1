import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { text as readText } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ANONYMOUS_BURST } from "../../src/server/http/anonymous-requests.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { dial } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// What one address may do without valid credentials, and that another address notices nothing of it.

const ATTACKER = "127.0.0.3";
const BYSTANDER = "127.0.0.4";
const AUTHORIZED = { authorization: `Bearer ${SECRET}` };
const CHECKS = ["/healthz", "/readyz"];

describe.each(TRANSPORTS)("without valid credentials over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  /** A clock that stands still: no allowance fills up while a test runs. */
  async function start(env: Record<string, string> = {}): Promise<void> {
    const now = performance.now();
    const clock = { now: () => now, wallNow: Date.now };
    gateway = await TestGateway.start(transport, { env, clock });
  }

  /** Requests of one address over connections that stay. */
  function client(localAddress: string) {
    const agent = new Agent({ keepAlive: true, maxSockets: 10 });
    const ask = async (path: string, headers: Record<string, string> = {}, method = "GET", body = "") => {
      const { port } = gateway.gateway;
      const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent, localAddress });
      request.end(body);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return { status: response.statusCode, headers: response.headers, text: await readText(response) };
    };
    return { ask, end: () => agent.destroy() };
  }

  function upgrade(localAddress: string, path = `/v1/${APP}/realtime`): Promise<number> {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.gateway.port}${path}`, { localAddress });
    socket.on("error", () => {});
    return new Promise((resolve) => {
      socket.on("open", () => {
        socket.terminate();
        resolve(101);
      });
      socket.on("unexpected-response", (_request, response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
    });
  }

  it("an address has an allowance, over it 429; checks of health, valid credentials and others are served", async () => {
    await start();
    const attacker = client(ATTACKER);
    const bystander = client(BYSTANDER);
    const paths = [
      ["/nothing", 404],
      ["/openapi.json", 200],
      ["/dashboard/", 200],
      [`/v1/${APP}/stats`, 401],
      ["/v1/no-app/stats", 404],
      [`/v1/${APP}/realtime`, 426],
      ["/metrics", 401],
    ] as const;
    let asked = 0;
    while (asked < ANONYMOUS_BURST) {
      const [path, status] = paths[asked % paths.length]!;
      const headers = path === "/metrics" ? { via: "1.1 x" } : undefined;
      const round = Array.from({ length: Math.min(20, ANONYMOUS_BURST - asked) }, () =>
        attacker.ask(path, headers),
      );
      asked += round.length;
      for (const answer of await Promise.all(round)) expect(answer.status, path).toBe(status);
    }
    for (const [path] of paths) {
      const { status, headers, text } = await attacker.ask(path);
      expect(status, path).toBe(429);
      expect(headers["retry-after"]).toBe("1");
      expect(headers.connection).toBe("close");
      expect(JSON.parse(text)).toMatchObject({ errorCode: "TOO_MANY_REQUESTS" });
      const other = await bystander.ask(path);
      expect(other.status).not.toBe(429);
      expect(other.headers.connection).not.toBe("close");
    }
    for (const path of CHECKS) {
      const { status, headers } = await attacker.ask(path);
      expect(status).toBe(200);
      expect(headers.connection).toBe("close");
    }
    // Handshakes that are refused for what they ask count, too.
    expect(await upgrade(ATTACKER, "/v1/no-app/realtime")).toBe(429);
    expect(await upgrade(BYSTANDER, "/v1/no-app/realtime")).toBe(404);
    expect(await upgrade(ATTACKER)).toBe(101);
    const stats = await attacker.ask(`/v1/${APP}/stats`, AUTHORIZED);
    expect(stats.status).toBe(200);
    expect(stats.headers.connection).not.toBe("close");
    const { text } = await bystander.ask("/metrics", { host: "localhost" });
    expect(text).toMatch(/^presence_refusals_total\{reason="anonymous_rate"\} \d+$/m);
    attacker.end();
    bystander.end();
  });

  it("behind a proxy of ours each client has its own allowance, and the proxy itself has no limit", async () => {
    await start({ TRUST_PROXY: ATTACKER });
    const proxy = client(ATTACKER);
    for (let asked = 0; asked < ANONYMOUS_BURST; asked += 20) {
      const forwarded = { "x-forwarded-for": "203.0.113.7" };
      await Promise.all(Array.from({ length: 20 }, () => proxy.ask("/nothing", forwarded)));
    }
    const refused = await proxy.ask("/nothing", { "x-forwarded-for": "203.0.113.7" });
    expect(refused.status).toBe(429);
    // Its connections are for many: none ends because one client is refused.
    expect(refused.headers.connection).not.toBe("close");
    expect((await proxy.ask("/nothing", { "x-forwarded-for": "203.0.113.8" })).status).toBe(404);
    expect((await proxy.ask("/nothing")).status).toBe(404);
    proxy.end();
  });

  it("most of the connects of a second are one address's, and not those of others", async () => {
    await start({ MAX_CONNECTS_PER_SECOND: "40" });
    const ofAttacker = [];
    for (let i = 0; i < 100; i++) ofAttacker.push(await upgrade(ATTACKER));
    expect(ofAttacker.filter((status) => status === 101)).toHaveLength(60);
    expect(new Set(ofAttacker.slice(60))).toEqual(new Set([503]));
    const ofOthers = [];
    for (let i = 0; i < 20; i++) ofOthers.push(await upgrade(`127.0.1.${i + 1}`));
    expect(ofOthers.filter((status) => status === 101)).toHaveLength(20);
    expect(await upgrade("127.0.2.1")).toBe(503);
  });

  const dialGateway = () => dial(gateway.gateway.port, ATTACKER);

  const head = (authorization: string, length: number, more = "") =>
    `POST /v1/${APP}/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${authorization}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${more}\r\n`;
  const answersIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));

  it("a body is refused before it is sent, skipped, and what follows it is a request of its own", async () => {
    await start();
    const seen = await dialGateway();
    const length = 511 * 1_024;
    seen.tcp.write(head("wrong", length));
    await until(() => answersIn(seen.text).length === 1);
    expect(answersIn(seen.text)).toEqual([401]);
    // A body that looks like a request is a body.
    const hidden = `DELETE /v1/${APP}/users/alice/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`;
    seen.tcp.write(hidden.repeat(Math.ceil(length / hidden.length)).slice(0, length));
    seen.tcp.write(head(SECRET, 2));
    seen.tcp.write("{}");
    await until(() => answersIn(seen.text).length === 2);
    expect(answersIn(seen.text)).toEqual([401, 200]);
    expect(seen.text).toMatch(/\{"data":\{\}\}$/);
    seen.tcp.destroy();
  });

  it.each([
    ["an unknown app", 404, "/v1/no-app/presences", SECRET, 100_000],
    ["an unknown path", 404, "/nothing", SECRET, 100_000],
    ["a method that is none", 405, `/v1/${APP}/stats`, SECRET, 100_000],
    ["a body that is too long", 413, `/v1/${APP}/presences`, SECRET, 600 * 1_024],
    ["a body that is too long, and wrong credentials", 401, `/v1/${APP}/presences`, "wrong", 600 * 1_024],
  ])("%s: %i before the body", async (_name, status, path, secret, length) => {
    await start();
    const seen = await dialGateway();
    seen.tcp.write(head(secret, length).replace(`/v1/${APP}/presences`, path));
    await until(() => answersIn(seen.text).length === 1);
    expect(answersIn(seen.text)).toEqual([status]);
    seen.tcp.write("x".repeat(length));
    seen.tcp.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => answersIn(seen.text).length === 2);
    expect(answersIn(seen.text)).toEqual([status, 200]);
    seen.tcp.destroy();
  });

  it("a refused body that is too long to be skipped ends the connection", async () => {
    await start();
    const seen = await dialGateway();
    seen.tcp.write(head("wrong", 17 * 1_024 * 1_024));
    await until(() => seen.isOver);
    expect(answersIn(seen.text)).toEqual([401]);
    expect(seen.text).toMatch(/^connection: close\r$/im);
  });

  unless(transport === "ws" ? undefined : "uWebSockets.js says 100 by itself", it)(
    "who waits to be told to send a body is told only if it is wanted",
    async () => {
      await start();
      for (const expect100 of ["Expect: 100-continue\r\n", "expect: 100-Continue\r\n"]) {
        const refused = await dialGateway();
        refused.tcp.write(head("wrong", 1_000, expect100));
        await until(() => refused.isOver);
        expect(answersIn(refused.text)).toEqual([401]);
        const wanted = await dialGateway();
        wanted.tcp.write(head(SECRET, 2, expect100));
        await until(() => answersIn(wanted.text).length === 1);
        expect(answersIn(wanted.text)).toEqual([100]);
        wanted.tcp.write("{}");
        await until(() => answersIn(wanted.text).length === 2);
        wanted.tcp.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        await until(() => answersIn(wanted.text).length === 3);
        expect(answersIn(wanted.text)).toEqual([100, 200, 200]);
        wanted.tcp.destroy();
      }
    },
  );

  it.each(["/%6detrics", "/%6Detrics", "/m%65tric%73"])(
    "%s is /metrics, with the same checks",
    async (path) => {
      await start();
      const local = client("127.0.0.1");
      const host = { host: "localhost" };
      expect((await local.ask(path, host)).status).toBe(200);
      expect((await local.ask(path, { ...host, via: "1.1 proxy" })).status).toBe(401);
      expect((await local.ask(path, { host: "evil.example" })).status).toBe(401);
      local.end();
    },
  );

  it.each([
    "/%256detrics",
    "/metrics%2f",
    "/metrics/",
    "//metrics",
    "/./metrics",
    "/x/../metrics",
    "/%2fmetrics",
    "/%2e/metrics",
    "/metrics%00",
    "/METRICS",
    `/v1/${APP}%2fstats`,
    `/v1/${APP}/users/..%2fstats`,
    `/v1/${APP}/users/a/../../stats`,
    `/v1/${APP}/%2e%2e/stats`,
  ])("%s is nothing", async (path) => {
    await start();
    const seen = await dialGateway();
    seen.tcp.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`);
    await until(() => answersIn(seen.text).length === 1);
    expect([400, 404, 405]).toContain(answersIn(seen.text)[0]);
    seen.tcp.destroy();
  });

  it("a path for WebSockets is the same in every spelling", async () => {
    await start();
    expect(await upgrade(BYSTANDER, `/v1/${encodeURIComponent(APP)}/%72ealtime`)).toBe(101);
    expect(await upgrade(BYSTANDER, `/%76%31/${APP}/realtime`)).toBe(101);
    expect(await upgrade(BYSTANDER, `/v1/${APP}%2frealtime`)).toBe(404);
    expect(await upgrade(BYSTANDER, `/v1/${APP}/realtime%2f`)).toBe(404);
  });
});
