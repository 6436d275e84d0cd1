import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { metricProblems } from "../support/metric-rules.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

const TOKEN = "the token of the metrics";

/** The series of a text in Prometheus's format: names and labels, without values. */
function series(text: string): string[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => line.slice(0, line.lastIndexOf(" "))).sort();
}

describe.each(TRANSPORTS)("metrics over %s", (transport) => {
  describe("without METRICS_TOKEN", () => {
    let gateway: TestGateway;

    beforeAll(async () => {
      gateway = await TestGateway.start(transport, { env: { TRUST_PROXY: "10.0.0.0/8" } });
    });
    afterAll(() => gateway.stop());

    const get = (headers: Record<string, string> = {}) =>
      gateway.http("GET", "/metrics", undefined, { authorization: "", ...headers });

    it("are for this machine", async () => {
      const { status, text } = await get();
      expect(status).toBe(200);
      expect(text).toMatch(/^presence_connections 0$/m);
      expect(text).toMatch(/^# TYPE presence_refusals_total counter$/m);
    });

    it("follow the rules for names, units and help texts", async () => {
      expect(metricProblems((await get()).text)).toEqual([]);
    });

    it.each([
      { "x-forwarded-for": "203.0.113.7" },
      { "x-forwarded-host": "example.com" },
      { "x-forwarded-proto": "https" },
      { "x-real-ip": "127.0.0.1" },
      { via: "1.1 proxy" },
      { "x-client-ip": "127.0.0.1" },
      { "cf-connecting-ip": "127.0.0.1" },
      { "true-client-ip": "127.0.0.1" },
      { "x-forwarded-for": "127.0.0.1" },
      { "x-forwarded-for": "::1" },
      { "x-forwarded-for": "" },
      { forwarded: "for=127.0.0.1" },
      { "x-forwarded-for": "127.0.0.1", authorization: `Bearer ${SECRET}` },
    ])("are not for those behind a proxy on it: %j", async (headers) => {
      const { status, json, text } = await get(headers as Record<string, string>);
      expect(status).toBe(401);
      expect(json.errorCode).toBe("UNAUTHORIZED");
      expect(text).not.toContain("presence_");
    });

    it("are not for a proxy of ours, even if it runs on this machine and sends no headers of a proxy", async () => {
      const behind = await TestGateway.start(transport, { env: { TRUST_PROXY: "127.0.0.1" } });
      const { status } = await behind.http("GET", "/metrics", undefined, { authorization: "" });
      expect(status).toBe(401);
      await behind.stop();
    });

    /** The status of a request on this machine whose Host header is these lines. */
    async function statusFor(hostLines: string): Promise<number | undefined> {
      const text = await sendRaw(
        gateway.gateway.port,
        `GET /metrics HTTP/1.1\r\n${hostLines}Connection: close\r\n\r\n`,
        // Without a Host uWebSockets.js says nothing at all.
        hostLines === "" ? 300 : 2_000,
      );
      if (statuses(text)[0] !== 200) expect(text).not.toContain("presence_");
      return statuses(text)[0];
    }

    it.each([
      "localhost",
      "LocalHost:8080",
      "127.0.0.1",
      "127.0.0.1:65535",
      "127.3.2.1:80",
      "[::1]",
      "[::1]:8080",
      "[0:0:0:0:0:0:0:1]:8080",
      "[::ffff:127.0.0.1]:8080",
    ])("are for programs that ask %s", async (host) => {
      expect(await statusFor(`Host: ${host}\r\n`)).toBe(200);
    });

    // DNS rebinding: a page whose name resolves to this machine would read them in the operator's browser.
    it.each([
      "evil.example",
      "evil.example:8080",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "evil-localhost",
      "localhost.",
      "localhost@evil.example",
      "localhost:8080:80",
      "localhost:evil",
      "localhost, evil.example",
      "evil.example, localhost",
      "[::1].evil.example",
      "::1",
      "[::2]",
      "0.0.0.0:8080",
      "10.0.0.1",
      "192.168.1.2:8080",
      "128.0.0.1",
      "",
    ])("are not for a page that has made its name mean this machine: %j", async (host) => {
      expect(await statusFor(`Host: ${host}\r\n`)).toBe(401);
    });

    it("are not for a request without a Host, or with several", async () => {
      expect(await statusFor("")).not.toBe(200);
      expect(await statusFor("Host: evil.example\r\nHost: localhost\r\n")).not.toBe(200);
    });

    it("have the same series whatever paths, ids, tokens and messages come", async () => {
      const before = series((await get()).text);
      expect(before.length).toBeGreaterThan(40);
      const client = await gateway.connect();
      for (let i = 0; i < 1_000; i++) {
        client.send({
          type: "open",
          kind: "widget",
          userId: `user-${i}`,
        });
        if (i % 100 === 0) client.send({ type: "query", id: i, filter: { userIds: [`user-${i}`] } });
      }
      const stranger = await gateway.socket();
      stranger.send({ type: "surprise" });
      stranger.send({ type: "connect", token: "token-of-a-stranger" });
      await stranger.closed;
      const ask = (i: number) => {
        const [method, path] = [
          ["GET", `/path-${i}`],
          ["GET", `/v1/app-${i}/stats`],
          ["DELETE", `/v1/${APP}/users/user-x-${i}/sessions`],
          ["PATCH", `/v1/${APP}/stats?x=${i}`],
        ][i % 4] as [string, string];
        return gateway.http(method, path);
      };
      // All at once, they could be more connections than one address may have without credentials.
      for (let i = 0; i < 1_000; i += 100)
        await Promise.all(Array.from({ length: 100 }, (_, j) => ask(i + j)));
      await client.settled();
      const { text } = await get();
      // Among them are those of Node itself, some of which show only once something happened.
      const ours = (names: string[]) => names.filter((name) => !/^presence_(nodejs|process)_/.test(name));
      expect(ours(series(text))).toEqual(ours(before));
      expect(text).not.toMatch(/user-\d|path-\d|app-\d|surprise|stranger|test-app/);
      expect(text).toMatch(/^presence_sessions\{kind="widget"\} 1000$/m);
      expect(text).toMatch(/^presence_messages_in_total\{type="open"\} 1000$/m);
      expect(text).toMatch(/^presence_handler_crashes_total 0$/m);
      client.terminate();
    });
  });

  describe("with METRICS_TOKEN", () => {
    let gateway: TestGateway;

    beforeAll(async () => {
      gateway = await TestGateway.start(transport, { env: { METRICS_TOKEN: TOKEN } });
    });
    afterAll(() => gateway.stop());

    const get = (authorization: string, headers = {}) =>
      gateway.http("GET", "/metrics", undefined, { authorization, ...headers });

    it("are for every request that has the token, from anywhere", async () => {
      expect((await get(`Bearer ${TOKEN}`)).status).toBe(200);
      const rebound = `GET /metrics HTTP/1.1\r\nHost: metrics.example\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;
      expect(statuses(await sendRaw(gateway.gateway.port, rebound))).toEqual([200]);
      expect((await get(`bearer ${TOKEN}`, { "x-forwarded-for": "203.0.113.7" })).status).toBe(200);
    });

    it.each([
      "",
      "Bearer",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${SECRET}`,
    ])("are not for who shows %j, on this machine either", async (authorization) => {
      const { status, headers, text } = await get(authorization);
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toBe("Bearer");
      expect(text).not.toContain("presence_");
    });

    it("are no way into an app", async () => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      expect((await gateway.http("GET", `/v1/${APP}/stats`, undefined, headers)).status).toBe(401);
    });
  });
});
