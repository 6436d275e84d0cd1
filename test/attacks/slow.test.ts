import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { RawWebSocket } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Clients that take their time, each kind of them many times, all at once.

const OF_EACH_KIND = 20;
/** For each of them the gateway makes 16 MB, more than the kernel takes. */
const WHO_DO_NOT_READ = 5;
/** Longer than a reader may take nothing. */
const SILENCE_S = 15;

interface Kind {
  readonly name: string;
  /** Written at once. */
  readonly first: string;
  /** Written after it, over and over, a byte at a time, so often. */
  readonly rest?: string;
  readonly everyMs?: number;
  readonly reads?: boolean;
}

const AUTHORIZED = `Host: x\r\nAuthorization: Bearer ${SECRET}\r\nContent-Type: application/json\r\n`;
const HEAD = `POST /v1/${APP}/presences HTTP/1.1\r\n${AUTHORIZED}`;
const UPGRADE = `GET /v1/${APP}/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;

const KINDS: readonly Kind[] = [
  { name: "nothing at all", first: "" },
  { name: "half a first line", first: "GET /hea" },
  {
    name: "a first line byte by byte",
    first: "G",
    rest: "ET /healthz-and-so-on",
    everyMs: 500,
  },
  { name: "headers byte by byte", first: HEAD, rest: "X-Slow: y\r\n", everyMs: 250 },
  { name: "headers without an end", first: HEAD },
  { name: "an upgrade without an end", first: UPGRADE },
  {
    name: "an upgrade byte by byte",
    first: UPGRADE,
    rest: "X-Slow: y\r\n",
    everyMs: 250,
  },
  { name: "half a body", first: `${HEAD}Content-Length: 1000\r\n\r\n{` },
  {
    name: "a body byte by byte",
    first: `${HEAD}Content-Length: 1000\r\n\r\n{`,
    rest: " ",
    everyMs: 250,
  },
  {
    name: "a body in chunks byte by byte",
    first: `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    rest: "1\r\n \r\n",
    everyMs: 250,
  },
  {
    name: "the size of a chunk without an end",
    first: `${HEAD}Transfer-Encoding: chunked\r\n\r\n`,
    rest: "0",
    everyMs: 250,
  },
  {
    name: "another request that does not come",
    first: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  },
  {
    name: "no reading of a long answer",
    first: `${HEAD}Content-Length: 2\r\n\r\n{}`,
    reads: false,
  },
];

describe.concurrent.each(TRANSPORTS)("slow clients over %s", (transport) => {
  it("are closed, and no other client waits because of them", async () => {
    const gateway = await TestGateway.start(transport);
    const writer = await gateway.connect();
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`key-${i}`, "x".repeat(512)]));
    for (let i = 0; i < 4_000; i++)
      writer.send({ type: "open", kind: "widget", userId: `user-${i}`, custom });
    await writer.settled();

    const healthy = await gateway.connect("healthy");
    let isOver = false;
    let closed = 0;
    let answersBefore = 0;
    const latencies: number[] = [];
    const measuring = (async () => {
      while (!isOver) {
        const asked = performance.now();
        await healthy.settled();
        latencies.push(performance.now() - asked);
        if (closed === 0) answersBefore++;
        await delay(50);
      }
    })();

    const run = async ({ first, rest, everyMs, reads = true }: Kind): Promise<number> => {
      const client = await RawWebSocket.dial(gateway.gateway.port);
      if (!reads) client.tcp.pause();
      const started = performance.now();
      if (first !== "") client.write(first);
      let at = 0;
      const writing =
        rest === undefined ? undefined : setInterval(() => client.write(rest[at++ % rest.length]!), everyMs);
      // A client that does not read does not see the end either, until nothing is left to be read.
      if (!reads) await delay(SILENCE_S * 1_000);
      const seen = performance.now();
      if (!reads) client.tcp.resume();
      await client.until(() => client.isOver);
      closed++;
      clearInterval(writing);
      client.destroy();
      return (reads ? performance.now() - started : performance.now() - seen) / 1_000;
    };
    const results = await Promise.all(
      KINDS.map(async (kind) => {
        const seconds = await Promise.all(
          Array.from({ length: kind.reads === false ? WHO_DO_NOT_READ : OF_EACH_KIND }, () => run(kind)),
        );
        return { kind, least: Math.min(...seconds), most: Math.max(...seconds) };
      }),
    );
    isOver = true;
    await measuring;
    latencies.sort((a, b) => a - b);
    const p99 = latencies[Math.floor(0.99 * latencies.length)]!;
    for (const { kind, least, most } of results) {
      process.stdout.write(
        `slow over ${transport}: ${kind.name}: ${least.toFixed(1)} to ${most.toFixed(1)} s\n`,
      );
    }
    process.stdout.write(`slow over ${transport}: an answer to somebody else: p99 ${p99.toFixed(1)} ms\n`);
    // If others had to wait for the slow clients, they would wait until those are closed.
    expect(answersBefore).toBeGreaterThan(20);
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    await gateway.stop();
  });
});
