import { describe, expect, it } from "vitest";
import { RedisLogSource } from "../../../src/server/cluster/redis-log-source.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { unless } from "../../support/unless.ts";

unless(whyNoRedis(), describe)("the logs in Redis", () => {
  it("have one log for each shard, and their Redis is checked", async ({ onTestFinished }) => {
    const redis = await RedisServer.start(["--maxmemory", "3mb"]);
    onTestFinished(() => redis.stop());
    const warnings: (object | string)[] = [];
    const source = new RedisLogSource({
      urls: [redis.url],
      maxLogBytes: 1024 * 1024,
      maxProfiles: 10,
      warn: (details, message) => warnings.push(details, message),
    });
    const [first, second] = [await source.open(0), await source.open(7)];
    onTestFinished(() => {
      first.close();
      second.close();
    });
    await first.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
    const counts = [first, second].map(async (log) => {
      const { end } = await log.readStatus({ do: "readStatus", at: undefined });
      return end.count;
    });
    expect(await Promise.all(counts)).toEqual([1, 0]);
    await expect
      .poll(() => warnings)
      .toEqual([
        expect.objectContaining({ shard: 7, needed: 4 * 1024 * 1024 }),
        expect.stringMatching(/^maxmemory of this Redis is too small/),
      ]);
  });
});
