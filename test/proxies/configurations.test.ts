import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import {
  installedProxies,
  ReverseProxy,
  type ReverseProxyOptions,
  whyNoProxy,
} from "../programs/reverse-proxy.ts";
import { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { sendRaw } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";

// The configurations in deploy/proxies meet the requirements for a proxy in docs/operations.md.

const PATH = `/v1/${APP}/realtime`;
const PAIRS = installedProxies().flatMap((proxy) =>
  TRANSPORTS.map((transport) => [proxy, transport] as const),
);

/** Starts a gateway behind a proxy. Both end with the test. */
async function start(
  [name, transport]: (typeof PAIRS)[number],
  onTestFinished: (stop: () => Promise<void>) => void,
  env: Record<string, string> = {},
  options: ReverseProxyOptions = {},
) {
  const gateway = await TestGateway.start(transport, { env: { TRUST_PROXY: "127.0.0.1", ...env } });
  onTestFinished(() => gateway.stop());
  const proxy = await ReverseProxy.start(name, gateway.gateway.port, options);
  onTestFinished(() => proxy.stop());
  return {
    url: `http://127.0.0.1:${proxy.port}`,

    async connect(): Promise<TestClient> {
      const address = `ws://127.0.0.1:${proxy.port}${PATH}`;
      const client = await TestClient.open(address, { protocols: ["presence.v1"] });
      onTestFinished(async () => client.terminate());
      client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }) });
      await client.next("connected");
      return client;
    },

    /** The status of an upgrade request from this address. */
    upgradeFrom(localAddress: string, headers: Record<string, string> = {}): Promise<number> {
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}${PATH}`, {
        localAddress,
        headers,
      } as object);
      onTestFinished(async () => socket.terminate());
      socket.on("error", () => {});
      return new Promise((resolve) => {
        socket.on("open", () => resolve(101));
        socket.on("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
      });
    },
  };
}

unless(whyNoProxy("nginx", "haproxy"), describe.concurrent).each(PAIRS)("%s in front of %s", (...pair) => {
  const [name] = pair;

  it("passes requests, WebSockets, and the events of streams as they come", async ({ onTestFinished }) => {
    const { url, connect } = await start(pair, onTestFinished);
    const writer = await connect();
    expect(writer.socket.protocol).toBe("presence.v1");
    const events = await readEvents({ url }, { hasFocus: true });
    expect((await events.next()).event).toBe("snapshot");
    const watcher = await connect();
    await watcher.subscribe({ hasFocus: true });
    for (let i = 0; i < 5; i++) {
      await writer.open({ userId: `user-${i}`, hasFocus: true });
      expect(Object.keys(JSON.parse((await events.next()).data).data)).toEqual([`user-${i}`]);
      await watcher.next("diff");
    }
    const response = await fetch(`${url}/v1/${APP}/presences`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
      body: '{"hasFocus":true}',
    });
    const { data } = (await response.json()) as { data: object };
    expect(Object.keys(data)).toHaveLength(5);
    // The proxy passes the close frame, so the sessions end at once.
    writer.socket.close(1000);
    const last = await events.next();
    expect(JSON.parse(last.data).causes).toMatchObject({ "user-0": "closed" });
    events.close();
    watcher.terminate();
  });

  it("passes a stream whose filter names a thousand users", async ({ onTestFinished }) => {
    const { url } = await start(pair, onTestFinished);
    const userIds = Array.from({ length: 1_000 }, (_, i) => `user-number-${i}`);
    const events = await readEvents({ url }, { userIds });
    expect(events.response.status).toBe(200);
    expect((await events.next()).event).toBe("snapshot");
    events.close();
  });

  it("passes a check of 10,000 users", async ({ onTestFinished }) => {
    const { url } = await start(pair, onTestFinished);
    const userIds = Array.from({ length: 10_000 }, (_, i) => `${"user-number-".repeat(10)}${i}`);
    const response = await fetch(`${url}/v1/${APP}/presences/check`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
      body: JSON.stringify({ userIds }),
    });
    expect(await response.json()).toMatchObject({ data: { present: [], absent: userIds } });
  });

  it("passes the ids of users in paths as they are, and any id in the query", async ({ onTestFinished }) => {
    const { url, connect } = await start(pair, onTestFinished);
    const writer = await connect();
    const port = Number(new URL(url).port);
    const head = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nConnection: close\r\n\r\n`;
    const ids = ["a/b", "a/../b", "b", "..", ".", "%2F", "a//b", "a b", "+", "é", "#", "?", "\\", ";x"];
    for (const userId of ids) await writer.open({ userId, selectedConversationId: `of ${userId}` });
    for (const userId of ids) {
      const id = encodeURIComponent(userId);
      const targets = [
        `/v1/${APP}/users/${id.replaceAll(".", "%2E")}/sessions`,
        `/v1/${APP}/users/sessions?userId=${id}`,
      ];
      for (const target of targets) {
        const answer = await sendRaw(port, `GET ${target} ${head}`);
        const body = Buffer.from(answer, "latin1").toString();
        expect(body, target).toContain(
          JSON.stringify([{ isTyping: false, currentConversationId: `of ${userId}` }]),
        );
      }
    }
    writer.terminate();
  });

  it("passes bodies in chunks, and clients that wait to be told to go on", async ({ onTestFinished }) => {
    const { url, connect } = await start(pair, onTestFinished);
    await (await connect()).open({ userId: "alice", hasFocus: true });
    const port = Number(new URL(url).port);
    const head = `POST /v1/${APP}/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nConnection: close\r\n`;
    const body = '{"hasFocus":true}';
    // uWebSockets.js refuses trailers, and HAProxy passes them on.
    const [, transport] = pair;
    const trailer = name === "haproxy" && transport === "uws" ? "" : "X-Trailer: GET / HTTP/1.1\r\n";
    const chunks = `5\r\n${body.slice(0, 5)}\r\nc;a=b\r\n${body.slice(5)}\r\n0\r\n${trailer}\r\n`;
    for (const sent of [
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`,
      `${head}Expect: 100-Continue\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      `${head}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    ]) {
      const answer = await sendRaw(port, sent, 300, (text) => text.includes('"alice"'));
      expect(answer, sent).toContain("HTTP/1.1 200 OK");
      expect(answer, sent).toContain('{"data":{"alice":');
    }
  });

  it("passes the real addresses of clients, whatever they claim", async ({ onTestFinished }) => {
    const { upgradeFrom } = await start(pair, onTestFinished, { MAX_CONNECTIONS_PER_IP: "1" });
    expect(await upgradeFrom("127.0.0.2")).toBe(101);
    expect(await upgradeFrom("127.0.0.2")).toBe(429);
    expect(await upgradeFrom("127.0.0.2", { "x-forwarded-for": "203.0.113.7" })).toBe(429);
    expect(await upgradeFrom("127.0.0.3")).toBe(101);
  });

  it("keeps an idle WebSocket beyond its own timeout while it is pinged, and ends one without pings", async ({
    onTestFinished,
  }) => {
    // On a busy machine a ping or pong may be seconds late.
    const idle = { idleSeconds: 24 };
    const lively = await start(pair, onTestFinished, { HEARTBEAT_INTERVAL_MS: "8000" }, idle);
    const silent = await start(pair, onTestFinished, { HEARTBEAT_INTERVAL_MS: "60000" }, idle);
    const [kept, cut] = [await lively.connect(), await silent.connect()];
    await cut.closed;
    await kept.settled();
    expect(kept.pings).toBeGreaterThan(0);
  });

  unless(name === "nginx" ? undefined : "HAProxy always passes it", it)(
    "answers 426 when it does not pass Upgrade",
    async ({ onTestFinished }) => {
      const { upgradeFrom } = await start(
        pair,
        onTestFinished,
        {},
        { without: /proxy_set_header (Upgrade|Connection)/ },
      );
      expect(await upgradeFrom("127.0.0.1")).toBe(426);
    },
  );
});
