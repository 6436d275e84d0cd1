import { afterEach, expect, it } from "vitest";
import { RedisMemoryCheck } from "../../../src/server/cluster/redis-memory.ts";
import { bulk, FakeRedis } from "../../support/fake-redis.ts";

const LOG_BYTES = 1_000;
let redis: FakeRedis;

afterEach(() => redis.stop());

/** A check of a Redis that says this of its memory, and what it has warned of. */
async function checkOf(info: string) {
  redis = await FakeRedis.start(() => info);
  const warnings: (object | string)[] = [];
  const check = new RedisMemoryCheck(LOG_BYTES, (details, message) => warnings.push(details, message));
  /** Checks the Redis for a shard, and waits until that is done. */
  const checkShard = async (shard: number) => {
    const before = redis.commands.length;
    check.check(redis.url, shard);
    await expect.poll(() => redis.commands.length).toBe(before + 1);
    await expect.poll(() => redis.connections).toBe(0);
  };
  return { check, checkShard, warnings };
}
const memory = (maxmemory: number, policy = "noeviction") =>
  bulk(`# Memory\r\nused_memory:5\r\nmaxmemory:${maxmemory}\r\nmaxmemory_policy:${policy}\r\n`);

it("a Redis with room for the log and as much again is fit", async () => {
  const { checkShard, warnings } = await checkOf(memory(2 * LOG_BYTES));
  await checkShard(0);
  expect(redis.commands).toEqual([["INFO", "memory"]]);
  expect(warnings).toEqual([]);
});

it("a Redis without a limit is fit, whatever its policy", async () => {
  const { checkShard, warnings } = await checkOf(memory(0, "allkeys-lru"));
  await checkShard(0);
  expect(warnings).toEqual([]);
});

it("each shard in it needs its own room", async () => {
  const { checkShard, warnings } = await checkOf(memory(3 * LOG_BYTES));
  await checkShard(0);
  expect(warnings).toEqual([]);
  await checkShard(5);
  expect(warnings).toEqual([
    { shard: 5, maxmemory: 3_000, needed: 4_000 },
    expect.stringMatching(/^maxmemory of this Redis is too small/),
  ]);
});

it("a Redis that may delete data is warned of", async () => {
  const { checkShard, warnings } = await checkOf(memory(1e9, "allkeys-lru"));
  await checkShard(0);
  expect(warnings).toEqual([{ shard: 0, policy: "allkeys-lru" }, expect.stringMatching(/is not noeviction/)]);
});

it("a shard is checked once, and a Redis that does not tell is not warned of", async () => {
  const { check, checkShard, warnings } = await checkOf("-NOPERM no\r\n");
  await checkShard(0);
  check.check(redis.url, 0);
  await checkShard(1);
  expect(redis.commands).toHaveLength(2);
  expect(warnings).toEqual([]);
});
