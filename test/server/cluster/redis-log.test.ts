import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Op } from "../../../src/server/cluster/log.ts";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { RedisLog } from "../../../src/server/cluster/redis-log.ts";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { unless } from "../../support/unless.ts";
import { PATIENCE_MS } from "../../support/until.ts";
import { MAX_PROFILES, testLog } from "./log-contract.ts";

let redis: RedisServer;
let log: RedisLog;
let raw: RedisConnection;

beforeAll(async () => {
  redis = await RedisServer.start();
  raw = await RedisConnection.open(redis.url);
});
afterAll(async () => {
  raw.close();
  await redis.stop();
});
beforeEach(async () => {
  await raw.ask(["FLUSHALL"], PATIENCE_MS);
  log = await RedisLog.connect({
    urls: [redis.url],
    shard: 0,
    maxLogLength: 1_000,
    maxProfiles: MAX_PROFILES,
    deadlineMs: PATIENCE_MS,
  });
});
afterEach(() => log.close());

unless(whyNoRedis(), describe)("the rules", () => {
  testLog("a log in Redis", {
    makeLog: async () => {
      await raw.ask(["FLUSHALL"], PATIENCE_MS);
      return { at: () => log };
    },
  });

  it("keeps no time for a profile that is gone", async () => {
    await log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
    const profile = (user: string, ms: number) => ({
      kind: "profile" as const,
      sessionId: user,
      text: `[1,"app","${user}","profile",1,${ms},"busy",null,null,null,null]`,
    });
    const ops = [profile("late", 1_000), profile("kept", 9e12)];
    await log.append({ do: "append", writer: "w", seq: 1, ops });
    expect(await raw.ask(["ZCARD", keysOf(0).kept], PATIENCE_MS)).toBe(1);
  });
});

const BOUND = 4 * 1024 * 1024;
/** How often the size is compared while the log grows over its bound. */
const ROUNDS = 20;

unless(whyNoRedis(), describe)("the size of a log in Redis", () => {
  let seq: number;
  beforeEach(async () => {
    log.close();
    log = await RedisLog.connect({
      urls: [redis.url],
      shard: 0,
      maxLogLength: 10_000,
      maxProfiles: MAX_PROFILES,
      maxLogBytes: BOUND,
      deadlineMs: PATIENCE_MS,
    });
    await log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
    seq = 0;
  });

  const { log: stream, nodes: register } = keysOf(0);
  const append = (ops: readonly Op[]) => log.append({ do: "append", writer: "w", seq: ++seq, ops });
  /** Of this many sessions, each with so much text. */
  const opsOf = (sessions: number, chars: number, from = 0): Op[] =>
    Array.from({ length: sessions }, (_, i) => ({
      kind: "open",
      sessionId: `session-${String(from + i).padStart(13, "0")}`,
      text: "x".repeat(chars),
    }));
  /**
   * What the stream takes. MEMORY USAGE takes each node of the index for one with 30 pointers. The number of
   * those nodes depends on the milliseconds in which entries come, and hardly any has more than one pointer.
   */
  const used = async (): Promise<number> => {
    const guessed = Number((await raw.ask(["MEMORY", "USAGE", stream, "SAMPLES", "0"], PATIENCE_MS)) ?? 0);
    const info = (await raw.ask(["XINFO", "STREAM", stream], PATIENCE_MS)) as unknown[];
    const nodes = Number(info[info.indexOf("radix-tree-nodes") + 1]);
    return guessed - nodes * 29 * 8;
  };
  const measured = async (): Promise<number> =>
    Number(String(await raw.ask(["HGET", register, "bytes"], PATIENCE_MS)).split(" ")[0]);

  it.each([
    ["heartbeats", 0, 0, 9_000],
    ["one small change", 1, 60, 9_000],
    ["one change with text", 1, 700, 9_000],
    ["one large change, of which one goes into a node of the stream", 1, 2_100, 4_000],
    ["one that is larger than a node of the stream", 1, 4_200, 2_000],
    ["one just over a size class", 1, 10_300, 1_000],
    ["many small changes", 512, 60, 200],
    ["many large changes", 64, 4_096, 60],
    ["the largest batch of a session", 1, 800_000, 20],
  ])("is never more than is measured, nor than its bound: %s", async (_, sessions, chars, times) => {
    let most = 0;
    let least = Number.POSITIVE_INFINITY;
    // Small ones are sent together.
    const atOnce = sessions <= 1 ? Math.min(50, times / ROUNDS) : 1;
    for (let round = 1; round <= ROUNDS; round++) {
      for (let sent = 0; sent < times / ROUNDS; sent += atOnce)
        await Promise.all(Array.from({ length: atOnce }, () => append(opsOf(sessions, chars))));
      const [real, counted] = [await used(), await measured()];
      // A stream allocates the whole of its last node, and trims whole nodes only.
      expect(real).toBeLessThanOrEqual(counted + 2 * 4_096 + 2_048);
      expect(counted).toBeLessThanOrEqual(BOUND);
      most = Math.max(most, real / counted);
      if (round > ROUNDS / 2) least = Math.min(least, real / counted);
    }
    process.stdout.write(`${_}: ${least.toFixed(2)} to ${most.toFixed(2)} of what is measured\n`);
  });
});
