import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HANDSHAKE_DEVIATIONS } from "../support/deviations.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { RawWebSocket, upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { type Handshake, handshakes } from "./handshakes.ts";

const PATH = `/v1/${APP}/realtime`;
/** A server that responds does so at once. After this time it is waiting for more bytes. */
const SILENT_MS = 1_000;

describe.concurrent.each(TRANSPORTS)("handshakes over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { env: { CONNECT_TIMEOUT_MS: "60000" } });
  });
  afterAll(async () => {
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    await gateway.stop();
  });

  const expectedOf = ({ id, sees }: Handshake) =>
    HANDSHAKE_DEVIATIONS.find((each) => each.transport === transport && each.ids.includes(id))?.sees ?? sees;

  it("are answered or dropped as listed, without compression, and with the subprotocol only if the client offers it", async () => {
    const wrong: string[] = [];
    const silent: Promise<void>[] = [];
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    let slowest = { id: "", ms: 0 };
    for (const each of handshakes(PATH)) {
      const expects = expectedOf(each);
      const client = await RawWebSocket.dial(gateway.gateway.port);
      const started = performance.now();
      client.write(each.request);
      const isAnswered = () => client.head !== "";
      const end = () => {
        const sees = client.status || (client.isOver ? "dropped" : "silence");
        const protocol = /^sec-websocket-protocol: (.*)\r$/im.exec(client.head)?.[1] ?? "";
        if (sees !== expects) wrong.push(`${each.id}: ${sees} and not ${expects}`);
        if (each.protocol !== undefined && sees === 101 && protocol !== each.protocol) {
          wrong.push(`${each.id}: ${protocol} and not ${each.protocol}`);
        }
        if (/sec-websocket-extensions/i.test(client.head)) wrong.push(`${each.id}: an extension`);
        if (client.violations.length > 0) wrong.push(`${each.id}: ${client.violations}`);
        client.destroy();
      };
      if (expects === "silence") {
        silent.push(
          client
            .until(isAnswered, SILENT_MS)
            .catch(() => {})
            .then(end),
        );
      } else {
        await client.until(isAnswered).catch(() => {});
        const ms = performance.now() - started;
        if (ms > slowest.ms) slowest = { id: each.id, ms };
        end();
      }
    }
    delays.disable();
    await Promise.all(silent);
    process.stdout.write(
      `handshakes over ${transport}: the slowest ${slowest.ms.toFixed(1)} ms (${slowest.id}), loop delay at most ${(delays.max / 1e6).toFixed(1)} ms\n`,
    );
    expect(wrong).toEqual([]);
    await until(() => gateway.node.debugCounts().connections === 0);
  });

  it("take time in proportion to their length", async () => {
    const hostile = (size: number) => [
      { "Sec-WebSocket-Protocol": `presence.v1${" ".repeat(size)}, a` },
      { "Sec-WebSocket-Protocol": ",".repeat(size) },
      { "Sec-WebSocket-Extensions": `a; b="${"\\c".repeat(size / 2)}` },
      { "Sec-WebSocket-Extensions": `a${" ".repeat(size)}b` },
      { Connection: `${",".repeat(size)}Upgrade` },
      { Upgrade: `websocket${" ".repeat(size)}x` },
      { Origin: `https://${"a.".repeat(size / 2)}` },
    ];
    const took = async (size: number, i: number) => {
      const client = await RawWebSocket.dial(gateway.gateway.port);
      const started = performance.now();
      client.write(upgradeRequest({ path: PATH, headers: hostile(size)[i]! }));
      await client.until(() => client.head !== "");
      client.destroy();
      return performance.now() - started;
    };
    for (const i of hostile(0).keys()) {
      const best = async (size: number) =>
        Math.min(...[await took(size, i), await took(size, i), await took(size, i)]);
      const [short, long] = [await best(4_000), await best(60_000)];
      // The text is fifteen times as long, and the machine adds noise. Quadratic work would take 225 times as
      // long, which is many seconds.
      expect(long, JSON.stringify(hostile(0)[i])).toBeLessThan(15 * short + 1_000);
    }
  });

  it("read the last of many headers like the first, or are refused", async () => {
    // Node drops headers over its limit, so the address that a proxy added would be missing.
    const last = ["Origin: https://evil.example", "X-Forwarded-For: 203.0.113.7"];
    const guarded = await TestGateway.start(transport, {
      env: { TRUST_PROXY: "127.0.0.1", MAX_CONNECTIONS_PER_IP: "1" },
      app: { allowedOrigins: ["https://app.example"] },
    });
    const statuses = [];
    for (const count of [0, 50, 80, 200, 990, 1_100, 3_000]) {
      const lines = [...Array.from({ length: count }, () => "a: b"), ...last];
      const client = await RawWebSocket.open(guarded.gateway.port, { path: PATH, lines });
      statuses.push(client.status);
      client.destroy();
    }
    expect(statuses).toEqual([403, 403, 403, 431, 431, 431, 431]);
    await guarded.stop();
  });
});
