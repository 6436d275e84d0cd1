import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { frame, upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// Connections that are reset at whatever point they have come to. LONG=1 makes many more of them.

const PATH = `/v1/${APP}/realtime`;
const CONNECTIONS = process.env.LONG ? 60_000 : 1_500;
const AT_ONCE = 100;
const LONGEST_MS = 50;

describe.each(TRANSPORTS)("connections that are reset, over %s", (transport) => {
  it("leave nothing behind, at whatever point it was", async () => {
    const gateway = await TestGateway.start(transport, {
      env: {
        RESUME_WINDOW_MS: "0",
        MAX_CONNECTS_PER_SECOND: "1000000",
        MAX_CONNECTIONS_PER_IP: "1000000",
        HTTP_REQUESTS_PER_SECOND: "1000000",
        LOG_LEVEL: "info",
      },
    });
    const writer = await gateway.connect();
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`key-${i}`, "x".repeat(512)]));
    for (let i = 0; i < 400; i++) writer.send({ type: "open", kind: "widget", userId: `user-${i}`, custom });
    await writer.settled();
    const watcher = await gateway.connect();
    await watcher.subscribe({});

    const token = await gateway.token({ tokenType: "app" });
    const text = (message: object) => frame({ payload: JSON.stringify(message) });
    const upgrade = upgradeRequest({ path: PATH });
    const connected = [upgrade, text({ type: "connect", token })];
    const http = (line: string, rest = "") =>
      Buffer.from(`${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n${rest}\r\n`);
    const presences = `POST /v1/${APP}/presences`;
    /** What is sent, piece by piece; the reset comes between the pieces, or some time later. */
    const PHASES: readonly (readonly Buffer[])[] = [
      [],
      [upgrade.subarray(0, 40)],
      [upgrade.subarray(0, -2)],
      [upgrade],
      connected,
      [Buffer.concat(connected)],
      [upgradeRequest({ path: PATH, headers: { "Sec-WebSocket-Version": "8" } })],
      [upgradeRequest({ path: "/v1/nowhere/realtime" })],
      [...connected, text({ type: "open", kind: "widget", userId: "passing" })],
      [...connected, text({ type: "subscribe", id: 1, filter: {} })],
      [...connected, text({ type: "query", id: 1, filter: {} }), text({ type: "query", id: 2, filter: {} })],
      [...connected, text({ type: "refresh", token })],
      [...connected, text({ type: "connect", token: "nonsense" }).subarray(0, 9)],
      [...connected, frame({ payload: "no JSON" })],
      [http(presences, "Content-Length: 100\r\n"), Buffer.from("{")],
      [http(presences, "Content-Length: 2\r\n"), Buffer.from("{}")],
      [http(`GET /v1/${APP}/presences/stream`)],
    ];
    let next = 0;
    let ended = 0;
    const worker = async () => {
      while (next < CONNECTIONS) {
        const i = next++;
        const tcp = connect(gateway.gateway.port, "127.0.0.1");
        tcp.on("error", () => {});
        tcp.resume();
        tcp.setNoDelay(true);
        for (const piece of PHASES[i % PHASES.length]!) {
          tcp.write(piece);
          if (i % 3 === 0) await delay(1);
        }
        const wait = (i * 7) % LONGEST_MS;
        if (wait > 0) await delay(wait);
        // Some of them before they are even open, and one in five with a goodbye of TCP.
        if (i % 5 === 0) tcp.destroy();
        else tcp.resetAndDestroy();
        if (!tcp.closed) await once(tcp, "close");
        ended++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(ended).toBe(CONNECTIONS);

    await until(() => gateway.node.debugCounts().managedConnections === 2);
    expect(gateway.node.debugCounts()).toMatchObject({
      managedConnections: 2,
      connections: 2,
      addresses: 1,
      backlogged: 0,
    });
    await until(() => gateway.presence().subscriptions === 1);
    expect(gateway.presence().sockets).toBe(2);
    expect(Object.keys(await gateway.query())).toHaveLength(400);
    await watcher.settled();
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    await gateway.stop();
  }, 600_000);
});
