import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { TestClient } from "../support/client.ts";
import { cpuSeconds } from "../support/cpu.ts";
import { GatewayProcess } from "../support/process.ts";
import { upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// There are more clients than files that the process may open. Without help uWebSockets.js would use a whole
// core for the connection that it cannot accept, and would accept no other.

const SECRET = "a secret that is long enough for anybody, and for this";
const APPS = JSON.stringify([{ id: "app", secrets: [SECRET] }]);
const PATH = "/v1/app/realtime";
const OPEN_FILES = 256;
const CLIENTS = 1_000;
/** How long one look at the processor time of a crowd takes. */
const LOOK_MS = 3_000;

describe.each(TRANSPORTS)("over %s, a process that may open few files", (transport) => {
  it("accepts as many of a thousand clients as it can, spends no processor time on the rest, and accepts more when clients leave", async () => {
    const env = { APPS, HOST: "127.0.0.1", DRAIN_MS: "0", TRANSPORT: transport };
    const run = new GatewayProcess(env, ["-c", `ulimit -n ${OPEN_FILES} && exec node dist/main.js`], "sh");
    try {
      const port = await run.port();
      const token = await mintToken("app", SECRET, { tokenType: "app" });
      const join = async () => {
        const client = await TestClient.open(`ws://127.0.0.1:${port}${PATH}`);
        client.send({ type: "connect", token });
        await client.next("connected");
        return client;
      };
      const before = await Promise.all(Array.from({ length: 20 }, join));

      const crowd: Socket[] = [];
      for (let i = 0; i < CLIENTS; i++) {
        const tcp = connect(port, "127.0.0.1");
        tcp.on("error", () => {});
        tcp.resume();
        // Some ask for a WebSocket, some for a page, and some send nothing.
        if (i % 3 === 0) tcp.write(upgradeRequest({ path: PATH }));
        if (i % 3 === 1) tcp.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        crowd.push(tcp);
      }
      const countKept = () => crowd.filter((tcp) => !tcp.closed).length;
      await until(() => countKept() < OPEN_FILES && crowd.every((tcp) => !tcp.connecting));
      const kept = countKept();
      // All come from one address. While many are open, a response ends its connection.
      expect(kept).toBeGreaterThan(20);

      /** The share of a core that the gateway uses, and its slowest answer to those who were there before. */
      const look = async () => {
        const cpuBefore = cpuSeconds(run.child.pid!) ?? 0;
        const latencies: number[] = [];
        const from = performance.now();
        for (; performance.now() < from + LOOK_MS; await delay(50)) {
          const asked = performance.now();
          await before[latencies.length % before.length]!.settled();
          latencies.push(performance.now() - asked);
        }
        const used = (cpuSeconds(run.child.pid!) ?? 0) - cpuBefore;
        return { share: used / ((performance.now() - from) / 1_000), slowest: Math.max(...latencies) };
      };
      // The crowd has just come, and a slow machine is not done with it at once.
      await until(async () => {
        const { share, slowest } = await look();
        process.stdout.write(
          `open files over ${transport}: ${kept} of ${CLIENTS} kept, ${Math.round(100 * share)} % of a core, slowest answer ${slowest.toFixed(1)} ms\n`,
        );
        return share < 0.2;
      });

      for (const tcp of crowd) tcp.resetAndDestroy();
      const left = performance.now();
      await until(async () => (await join().catch(() => undefined)) !== undefined);
      process.stdout.write(
        `open files over ${transport}: room again after ${Math.round(performance.now() - left)} ms\n`,
      );
      for (const client of before) await client.settled();
      for (const client of before) client.terminate();
      // All come from one address, whose share of connections is limited.
      await run.printed(/"refusal":"tcp_connections"/);
      expect(run.output).not.toContain("crash");
    } finally {
      await run.stop();
    }
  });
});
