import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { Newcomers } from "../../src/server/gateway/newcomers.ts";
import { memoryBytes } from "../../src/server/observability/process-memory.ts";
import { TestClient } from "../support/client.ts";
import { cpuSeconds, residentMiB } from "../support/cpu.ts";
import { GatewayProcess } from "../support/process.ts";
import { CONTINUATION, closeFrame, frame, PING, PONG, RawWebSocket, TEXT } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// Swarms attack a gateway in a process of its own, so its memory and its processor time are measured alone.

const SECRET = "a secret that is long enough for anybody, and for this";
const APPS = JSON.stringify([{ id: "app", secrets: [SECRET] }]);
const PATH = "/v1/app/realtime";
/** Memory that the heap may keep after a swarm has gone, plus measuring noise. */
const MAY_GROW_MIB = 80;
/**
 * A limit for processor time, which does not depend on how busy the machine is. Response times do depend on
 * it, so the test only prints them. The dearest swarm takes a sixth of this, so a slow machine may take its
 * time.
 */
const MAY_USE_S = 8;
/**
 * uWebSockets.js limits the sockets of one address that have not sent `connect`. It refuses sockets beyond
 * the limit.
 */
const LIMITS = { maxMessageBytes: 262_144 };
const OF_ADDRESS = { ws: 1_000, uws: new Newcomers(memoryBytes(), LIMITS).maxPerAddress };

describe.concurrent.each(TRANSPORTS)("swarms over %s", (transport) => {
  it("cost little, end in time, and other clients are served", async () => {
    const run = new GatewayProcess({ APPS, HOST: "127.0.0.1", DRAIN_MS: "0", TRANSPORT: transport });
    try {
      const port = await run.port();
      const pid = run.child.pid!;
      const appToken = await mintToken("app", SECRET, { tokenType: "app" });
      const userToken = await mintToken("app", SECRET, { tokenType: "user", sub: "mallory" });
      const healthy = await TestClient.open(`ws://127.0.0.1:${port}${PATH}`);
      healthy.send({ type: "connect", token: appToken });
      await healthy.next("connected");

      const open = (count: number, token?: string, localAddress?: string) =>
        Promise.all(
          Array.from({ length: count }, async () => {
            const client = await RawWebSocket.open(port, { path: PATH, localAddress });
            if (token !== undefined) {
              expect(client.status).toBe(101);
              client.send({ type: "connect", token });
              await client.until(() => client.frames.length > 0);
            }
            return client;
          }),
        );
      /** Opens a few at a time, because the number of newcomers from one address is limited. */
      const openConnected = async (count: number, token: string) => {
        const clients: RawWebSocket[] = [];
        while (clients.length < count)
          clients.push(...(await open(Math.min(25, count - clients.length), token)));
        return clients;
      };
      /** Opens so many newcomers from an address of their own, and returns those that are let in. */
      const openNewcomers = async (count: number, localAddress: string) => {
        const clients = await open(count, undefined, localAddress);
        const letIn = clients.filter(({ status }) => status === 101);
        expect(letIn).toHaveLength(Math.min(count, OF_ADDRESS[transport]));
        return letIn;
      };
      /** Runs an attack. Prints its memory, its time and the slowest response to another client. */
      const measured = async (name: string, attack: () => Promise<string>) => {
        const [memory, cpu, started] = [residentMiB(pid) ?? 0, cpuSeconds(pid) ?? 0, performance.now()];
        let highest = memory;
        let slowest = 0;
        let isOver = false;
        const watching = (async () => {
          while (!isOver) {
            const asked = performance.now();
            await healthy.settled();
            slowest = Math.max(slowest, performance.now() - asked);
            highest = Math.max(highest, residentMiB(pid) ?? 0);
            await delay(20);
          }
        })();
        const what = await attack();
        isOver = true;
        await watching;
        const seconds = (performance.now() - started) / 1_000;
        const used = (cpuSeconds(pid) ?? 0) - cpu;
        process.stdout.write(
          `${transport}: ${name}: ${what}; ${seconds.toFixed(1)} s, +${(highest - memory).toFixed(0)} MiB, ${used.toFixed(2)} s of processor, slowest answer ${slowest.toFixed(0)} ms\n`,
        );
        expect(highest - memory, name).toBeLessThan(MAY_GROW_MIB);
        expect(used, name).toBeLessThan(MAY_USE_S);
      };
      const end = (clients: RawWebSocket[]) => {
        for (const client of clients) client.destroy();
      };

      await measured("500 sockets with 1000 fragments of a byte each", async () => {
        const clients = await openConnected(500, appToken);
        const byte = frame({ opcode: CONTINUATION, fin: false, payload: " " });
        const hundred = Buffer.concat(Array.from({ length: 100 }, () => byte));
        for (const client of clients) client.write(frame({ opcode: TEXT, fin: false, payload: "{" }));
        for (let i = 0; i < 10; i++) {
          for (const client of clients) client.write(hundred);
          await delay(50);
        }
        const closed = () => clients.filter((client) => client.closeFrame?.closed === 1008).length;
        if (transport === "ws") await until(() => closed() === clients.length);
        else await delay(1_000);
        end(clients);
        return `${closed()} closed with 1008`;
      });

      await measured("50 sockets with a message of 100 MiB, half of them in fragments", async () => {
        const clients = await openConnected(50, appToken);
        const megabyte = Buffer.alloc(1024 * 1024, " ");
        await Promise.all(
          clients.map(async (client, i) => {
            const head = frame({ lengthBytes: 8, length: 100n * 1024n * 1024n });
            client.write(i % 2 === 0 ? head : frame({ fin: false, payload: "{" }));
            const piece =
              i % 2 === 0 ? megabyte : frame({ opcode: CONTINUATION, fin: false, payload: megabyte });
            for (let sent = 0; sent < 100 && client.closeFrame === undefined && !client.isOver; sent++) {
              client.write(piece);
              await delay(5);
            }
            await client.until(() => client.closeFrame !== undefined);
            client.destroy();
          }),
        );
        return "all closed";
      });

      for (const [name, bytes] of [
        ["pings", frame({ opcode: PING, payload: "p".repeat(125) })],
        ["pongs", frame({ opcode: PONG, payload: "p".repeat(125) })],
        ["closes", closeFrame(1000)],
        ["messages", frame({ payload: '{"type":"ping"}' })],
      ] as const) {
        await measured(`40 sockets with 10000 ${name} each, of which they read nothing`, async () => {
          const clients = await openConnected(40, userToken);
          const hundred = Buffer.concat(Array.from({ length: 100 }, () => bytes));
          for (const client of clients) client.tcp.pause();
          const started = performance.now();
          for (let i = 0; i < 100; i++) {
            for (const client of clients) client.write(hundred);
            await delay(5);
          }
          const inTime = clients.filter((client) => client.isOver).length;
          for (const client of clients) client.tcp.resume();
          await Promise.all(clients.map((client) => client.ended));
          const seconds = (performance.now() - started) / 1_000;
          return `all over after ${seconds.toFixed(1)} s, ${inTime} of them while they wrote`;
        });
      }

      await measured("900 sockets that never send connect", async () => {
        const before = residentMiB(pid) ?? 0;
        const started = performance.now();
        const clients = await openNewcomers(900, "127.0.0.70");
        const each = (1_024 * ((residentMiB(pid) ?? 0) - before)) / clients.length;
        const times = await Promise.all(
          clients.map(async (client) => {
            await client.until(() => client.closeFrame !== undefined);
            client.destroy();
            expect(client.closeFrame?.closed).toBe(4408);
            return (performance.now() - started) / 1_000;
          }),
        );
        const [least, most] = [Math.min(...times), Math.max(...times)];
        expect(least).toBeGreaterThan(4.9);
        return `${clients.length} closed with 4408 after ${least.toFixed(1)} to ${most.toFixed(1)} s, ${each.toFixed(0)} KiB each`;
      });

      await measured("300 sockets whose first message is too long", async () => {
        const clients = await openNewcomers(300, "127.0.0.71");
        for (const client of clients) client.send({ type: "connect", token: "x".repeat(16_384) });
        await Promise.all(clients.map((client) => client.until(() => client.closeFrame !== undefined)));
        expect(new Set(clients.map((client) => client.closeFrame?.closed))).toEqual(new Set([1009]));
        end(clients);
        return "all closed with 1009";
      });

      const stats = async () => {
        const headers = { authorization: `Bearer ${SECRET}` };
        const response = await fetch(`http://127.0.0.1:${port}/v1/app/stats`, { headers });
        return (await response.json()) as { sockets: number; sessions: number };
      };
      await until(async () => (await stats()).sockets === 1);
      expect(await stats()).toMatchObject({ sockets: 1, sessions: 0 });
      expect(run.output).not.toContain("crash");
      healthy.terminate();
    } finally {
      await run.stop();
    }
  });
});
