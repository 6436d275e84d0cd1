import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { Newcomers } from "../../src/server/gateway/newcomers.ts";
import { readDashboard } from "../../src/server/http/dashboard.ts";
import { memoryBytes } from "../../src/server/observability/process-memory.ts";
import { TestClient } from "../support/client.ts";
import { cpuSeconds, residentMiB } from "../support/cpu.ts";
import { GatewayProcess } from "../support/process.ts";
import { frame, upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// One address hoards shared resources: memory, through unread responses and unfinished bodies, and TCP
// connections. The gateway has a process of its own, so its memory is measured alone.

const SECRET = "a secret that is long enough for anybody, and for this";
const APPS = JSON.stringify([{ id: "app", secrets: [SECRET] }]);
const PATH = "/v1/app/realtime";
const ENV = { APPS, HOST: "127.0.0.1", DRAIN_MS: "0" };
const ATTACKER = "127.0.0.3";
const MIB = 1024 * 1024;
/** So large that on any machine few sockets may hold an unfinished message. */
const LARGEST_MESSAGE = 16 * MIB;
/** Measuring noise plus the memory of parsers. Without the limits the growth was 135 MiB to 6 GiB. */
const MAY_GROW_MIB = 50;

function dial(port: number, localAddress = ATTACKER): Promise<Socket> {
  const tcp = connect({ port, host: "127.0.0.1", localAddress });
  tcp.on("error", () => {});
  return once(tcp, "connect").then(() => tcp);
}

/** Writes a text this many times, as fast as it is accepted. Stops when the connection has ended. */
async function flood(tcp: Socket, text: string, times: number): Promise<void> {
  for (let i = 0; i < times && !tcp.destroyed; i++) {
    if (tcp.write(text)) continue;
    await new Promise<void>((resolve) => {
      tcp.once("drain", resolve).once("close", resolve);
      setTimeout(resolve, 3_000);
    });
  }
}

/** Checks that a bystander at another address is served all the time while `act` runs. */
async function whileServed<Result>(port: number, act: () => Promise<Result>): Promise<Result> {
  const token = await mintToken("app", SECRET, { tokenType: "user", sub: "bystander", read: "all" });
  const bystander = await TestClient.open(`ws://127.0.0.1:${port}${PATH}`);
  bystander.send({ type: "connect", token });
  await bystander.next("connected");
  const sessionId = await bystander.open({ selectedConversationId: "quiet" });
  let isOver = false;
  let answers = 0;
  const serving = (async () => {
    while (!isOver) {
      await bystander.settled();
      const response = await fetch(`http://127.0.0.1:${port}/v1/app/presences`, {
        method: "POST",
        headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
        body: "{}",
      });
      const { data } = (await response.json()) as { data: Record<string, { widgets: unknown[] }> };
      expect(data.bystander?.widgets).toMatchObject([{ sessionId, selectedConversationId: "quiet" }]);
      answers++;
      await delay(20);
    }
  })();
  try {
    return await act();
  } finally {
    isOver = true;
    await serving;
    expect(answers).toBeGreaterThan(0);
    bystander.terminate();
  }
}

/** Waits until a process is idle. It is not at once, because it cleans up after an attack. */
async function untilIdle(pid: number): Promise<void> {
  await until(async () => {
    const before = cpuSeconds(pid) ?? 0;
    await delay(2_000);
    return ((cpuSeconds(pid) ?? 0) - before) / 2 < 0.2;
  });
}

const largest = readDashboard(new URL("../../dist/dashboard/", import.meta.url)).sort(
  (a, b) => b.plain.length - a.plain.length,
)[0]!;
const PIPELINED: readonly [name: string, request: string][] = [
  [`the largest file of the dashboard`, `GET /dashboard/${largest.name} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["/openapi.json", "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["/metrics", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a check of health", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a HEAD", "HEAD /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a redirect", "GET /dashboard HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["401", "GET /v1/app/stats HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["404", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"],
  [
    "a valid secret's query",
    `POST /v1/app/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`,
  ],
];

// Both transports run at once, because each test has its own gateway process. The tests of one transport run
// in sequence, so few attacks compete for the processor.
describe.concurrent.each(TRANSPORTS)("clients that hold memory over %s", (transport) => {
  describe.sequential("one after another", () => suite(transport));
});

function suite(transport: (typeof TRANSPORTS)[number]): void {
  it("unread responses take bounded memory, and other clients are served meanwhile", async () => {
    const run = new GatewayProcess({ ...ENV, TRANSPORT: transport });
    try {
      const port = await run.port();
      const pid = run.child.pid!;
      await whileServed(port, async () => {
        for (const [name, request] of PIPELINED) {
          const before = residentMiB(pid) ?? 0;
          let highest = before;
          const attackers = await Promise.all(Array.from({ length: 4 }, () => dial(port)));
          for (const tcp of attackers) tcp.pause();
          const block = request.repeat(500);
          const sent = Promise.all(attackers.map((tcp) => flood(tcp, block, 10)));
          for (let i = 0; i < 40; i++) {
            highest = Math.max(highest, residentMiB(pid) ?? 0);
            await delay(25);
          }
          for (const tcp of attackers) tcp.destroy();
          await sent;
          process.stdout.write(`${transport}: 20,000 times ${name}: +${(highest - before).toFixed(0)} MiB\n`);
          expect(highest - before, name).toBeLessThan(MAY_GROW_MIB);
        }
      });
      await untilIdle(pid);
      expect(run.output).not.toContain("crash");
    } finally {
      await run.stop();
    }
  });

  it("bodies of unauthorized requests are not kept", async () => {
    const run = new GatewayProcess({ ...ENV, TRANSPORT: transport });
    try {
      const port = await run.port();
      const pid = run.child.pid!;
      await whileServed(port, async () => {
        const before = residentMiB(pid) ?? 0;
        let highest = before;
        const length = 511 * 1_024;
        const head = `POST /v1/app/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Length: ${length}\r\n\r\n`;
        const attackers = await Promise.all(Array.from({ length: 500 }, () => dial(port)));
        const body = Buffer.alloc(length - 1, "x");
        for (const tcp of attackers) {
          tcp.write(head);
          // The last byte is missing, so a gateway that keeps the body would wait for it.
          tcp.write(body);
          tcp.resume();
        }
        for (let i = 0; i < 120; i++) {
          highest = Math.max(highest, residentMiB(pid) ?? 0);
          await delay(25);
        }
        for (const tcp of attackers) tcp.destroy();
        process.stdout.write(`${transport}: 500 bodies of 511 KiB: +${(highest - before).toFixed(0)} MiB\n`);
        // Discarded input remains as garbage for a while.
        expect(highest - before).toBeLessThan(2 * MAY_GROW_MIB);
      });
      await untilIdle(pid);
    } finally {
      await run.stop();
    }
  });

  // `ws` refuses a long message before it has arrived: see test/attacks/unread-input.test.ts.
  unless(transport === "uws" ? undefined : "ws refuses a long message early", it)(
    "unfinished first messages take bounded memory",
    async () => {
      // Each socket ends soon, so memory that ended sockets still hold is measured too.
      const env = { CONNECT_TIMEOUT_MS: "1000", MAX_MESSAGE_BYTES: String(LARGEST_MESSAGE) };
      const run = new GatewayProcess({ ...ENV, ...env, TRANSPORT: transport });
      try {
        const port = await run.port();
        const pid = run.child.pid!;
        await whileServed(port, async () => {
          const before = residentMiB(pid) ?? 0;
          let highest = before;
          const upgrade = upgradeRequest({ path: PATH });
          // The last byte is missing.
          const message = frame({ payload: "x".repeat(261_000) }).subarray(0, -1);
          const attackers: Socket[] = [];
          let letIn = 0;
          for (let round = 0; round < 3; round++) {
            for (let i = 0; i < 1_000; i++) {
              const tcp = connect({ port, host: "127.0.0.1", localAddress: ATTACKER, allowHalfOpen: true });
              tcp.on("error", () => {});
              tcp.on("data", (answer) => {
                if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) return;
                letIn++;
                tcp.write(message);
              });
              tcp.write(upgrade);
              attackers.push(tcp);
            }
            for (let i = 0; i < 60; i++) {
              highest = Math.max(highest, residentMiB(pid) ?? 0);
              await delay(25);
            }
          }
          for (const tcp of attackers) tcp.destroy();
          const grown = (highest - before).toFixed(0);
          process.stdout.write(
            `${transport}: ${letIn} of 3,000 unfinished messages of 255 KiB: +${grown} MiB\n`,
          );
          expect(letIn).toBeGreaterThan(0);
          // The limit for one address, plus parsers and responses. Without the limit it was 614 MiB.
          const { maxPerAddress } = new Newcomers(memoryBytes(), { maxMessageBytes: LARGEST_MESSAGE });
          expect(highest - before).toBeLessThan((maxPerAddress * message.length) / MIB + 2 * MAY_GROW_MIB);
        });
      } finally {
        await run.stop();
      }
    },
  );

  it.each([
    ["that send a request and stay open", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", undefined],
    ["that send nothing", "", undefined],
    ["that do not finish a request", "GET /he", "althz"],
  ])("connections of one address %s leave room for other addresses", async (_name, text, more = text) => {
    const files = ["-c", "ulimit -n 640 && exec node dist/main.js"];
    const run = new GatewayProcess({ ...ENV, TRANSPORT: transport }, files, "sh");
    try {
      const port = await run.port();
      const pid = run.child.pid!;
      const attackers: Socket[] = [];
      for (let i = 0; i < 520; i++) {
        const tcp = connect({ port, host: "127.0.0.1", localAddress: ATTACKER });
        tcp.on("error", () => {});
        tcp.resume();
        if (text !== "") tcp.write(text);
        attackers.push(tcp);
      }
      await until(() => attackers.every((tcp) => !tcp.connecting));
      const honest = async (localAddress: string) => {
        const client = await TestClient.open(`ws://127.0.0.1:${port}${PATH}`, { localAddress });
        const token = await mintToken("app", SECRET, { tokenType: "user", sub: localAddress });
        client.send({ type: "connect", token });
        await client.next("connected");
        return client;
      };
      const friends = [];
      for (let i = 0; i < 40; i++) friends.push(await honest(`127.0.1.${i + 1}`));
      // The attacker continues, and connected clients keep their connections.
      for (const tcp of attackers) if (!tcp.destroyed && more !== "") tcp.write(more);
      for (let i = 0; i < 40; i++) friends.push(await honest(`127.0.2.${i + 1}`));
      for (const client of friends) await client.settled();
      const held = () => attackers.filter((tcp) => !tcp.closed).length;
      await until(() => held() <= 257);
      process.stdout.write(`${transport}: ${held()} of 520 connections held, 80 of 80 others let in\n`);
      for (const client of friends) client.terminate();
      for (const tcp of attackers) tcp.destroy();
      await untilIdle(pid);
      // Connections with a request need no refusal, because they end with their response.
      if (text === "") {
        await run.printed(/"refusal":"tcp_connections","detail":"the share of an address"/);
      }
    } finally {
      await run.stop();
    }
  });
}
