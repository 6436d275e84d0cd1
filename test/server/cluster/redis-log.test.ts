import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Command, Entry, Op, ScanBatch, ScannedRow } from "../../../src/server/cluster/log.ts";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { RedisLog } from "../../../src/server/cluster/redis-log.ts";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { runs } from "../../support/seed.ts";
import { unless } from "../../support/unless.ts";
import { PATIENCE_MS } from "../../support/until.ts";
import { MemoryLog } from "./memory-log.ts";

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
    maxProfiles: 100,
    deadlineMs: PATIENCE_MS,
  });
});
afterEach(() => log.close());

const writer = fc.constantFrom("w1", "w2", "w3");
const sessionId = fc.constantFrom("s1", "s2", "__proto__", "a b", "é\u0000\n");
const op = fc.record({
  kind: fc.constantFrom("open", "patch", "takeover", "end", "forceEnd"),
  sessionId,
  text: fc.constantFrom("[1]", "{}", "ü x", ""),
});
/** Kept until far in the future, so that no clock decides. */
const profileOp = fc
  .record({ user: fc.constantFrom("u1", "u2"), version: fc.integer({ min: 1, max: 4 }) })
  .map(({ user, version }) => ({
    kind: "profile" as const,
    sessionId: `["app","${user}"]`,
    text: `[1,"app","${user}","profile",${version},9000000000000,"busy",null,null,null,null]`,
  }));
const command = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("join" as const),
      writer,
      leaseMs: fc.constantFrom(1_000, 10_000),
      nodeId: fc.constantFrom("n1", "n 2", "s:w1"),
      formerly: fc.uniqueArray(writer, { maxLength: 2 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      writer,
      seq: fc.integer({ min: 1, max: 4 }),
      ops: fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: op }, { weight: 1, arbitrary: profileOp }), {
        maxLength: 3,
        selector: (each) => each.sessionId,
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("evict" as const),
      writer,
      seq: fc.option(fc.nat({ max: 4 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), writer }) },
);

/** All but the ids, which Redis makes from its clock. */
function plain(entries: readonly Entry[]): unknown[] {
  return entries.map((entry) => ({ ...entry, id: undefined }));
}

unless(whyNoRedis(), describe)("a log in Redis", () => {
  it("decides by the rules, whatever the commands", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 30, size: "max" }), async (commands) => {
        await raw.ask(["FLUSHALL"], PATIENCE_MS);
        const memory = new MemoryLog();
        for (const each of commands as Command[]) {
          const both = ask(log, each, memory);
          expect(await both.redis).toEqual(both.memory);
        }
        const [look, should] = [
          await log.readStatus({ do: "readStatus", at: undefined }),
          memory.readStatus({ do: "readStatus", at: undefined }),
        ];
        expect(look.end.count).toBe(should.end.count);
        expect(sorted(look.register)).toEqual(sorted(should.register));
        const held = [...memory.rows, ...memory.profiles].map(([sessionId, row]) => ({ sessionId, ...row }));
        expect(sorted(await scanAll(log))).toEqual(sorted(held));
        const ids = [...memory.entries.keys()];
        const entries = ids.length > 0 ? await log.read("0-0") : [];
        for (const i of ids.slice(-2)) {
          const { found } = await log.readStatus({ do: "readStatus", at: entries[i]!.id });
          expect({ ...found, id: undefined }).toEqual({ ...memory.entries[i], id: undefined });
        }
        expect((await log.readStatus({ do: "readStatus", at: "1-1" })).found).toBeUndefined();
        if (memory.entries.length > 0) expect(plain(await log.read("0-0"))).toEqual(plain(memory.entries));
      }),
      { numRuns: runs(300) },
    );
  });
});

unless(whyNoRedis(), describe)("profiles in Redis", () => {
  /** Writes a profile of each user, kept until the given time. */
  async function write(seq: number, keptUntil: readonly (readonly [user: string, ms: number])[]) {
    const ops = keptUntil.map(([user, ms]) => ({
      kind: "profile" as const,
      sessionId: user,
      text: `[1,"app","${user}","profile",1,${ms},"busy",null,null,null,null]`,
    }));
    await log.append({ do: "append", writer: "w", seq, ops });
  }
  const users = async () => (await scanAll(log)).map(({ sessionId }) => sessionId).sort();

  beforeEach(async () => {
    await log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
  });

  it("go when their time is over, with the next one that is written", async () => {
    await write(1, [
      ["late", 1_000],
      ["kept", 9e12],
    ]);
    expect(await users()).toEqual(["kept"]);
    expect(await raw.ask(["ZCARD", keysOf(0).kept], PATIENCE_MS)).toBe(1);
  });

  it("are so many at most: those that would go first go", async () => {
    const many = Array.from({ length: 150 }, (_, i) => [`u${i}`, 9e12 + i] as const);
    await write(1, many);
    expect(await users()).toEqual(
      many
        .slice(-100)
        .map(([user]) => user)
        .sort(),
    );
    await write(2, [
      ["soon", 9e12],
      ["latest", 9e12 + 1_000],
    ]);
    expect(await users()).toEqual([...many.slice(-99).map(([user]) => user), "latest"].sort());
  });
});

async function scanAll(of: RedisLog): Promise<ScannedRow[]> {
  const rows: ScannedRow[] = [];
  for (let from: string | undefined = "0"; from !== undefined; ) {
    const batch: ScanBatch = await of.scan({ do: "scan", from });
    rows.push(...batch.rows);
    from = batch.next;
  }
  return rows;
}

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
      maxProfiles: 100,
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
    const atOnce = sessions <= 1 ? 50 : 1;
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

function ask(
  redisLog: RedisLog,
  each: Command,
  memory: MemoryLog,
): { redis: Promise<unknown>; memory: unknown } {
  switch (each.do) {
    case "join":
      return { redis: redisLog.join(each), memory: memory.join(each) };
    case "append":
      return { redis: redisLog.append(each), memory: memory.append(each) };
    case "evict":
      return { redis: redisLog.evict(each), memory: memory.evict(each) };
    case "forget":
      return { redis: redisLog.forget(each), memory: memory.forget(each) };
    default:
      throw new Error(each.do);
  }
}

function sorted(values: readonly unknown[]): string[] {
  return values.map((value) => JSON.stringify(value, Object.keys(value as object).sort())).sort();
}
