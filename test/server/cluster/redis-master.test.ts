import { afterEach, describe, expect, it } from "vitest";
import { findMaster } from "../../../src/server/cluster/redis-master.ts";
import { ownPort } from "../../programs/own-port.ts";
import { FakeRedis, type Reply } from "../../support/fake-redis.ts";

const KEY = "presence:1:{0}:nodes";
const OK: Reply = () => "+OK\r\n";
const started: FakeRedis[] = [];

afterEach(() => Promise.all(started.splice(0).map((redis) => redis.stop())));

async function start(reply: Reply): Promise<FakeRedis> {
  const redis = await FakeRedis.start(reply);
  started.push(redis);
  return redis;
}

/** A node of a Redis Cluster that names another one as the master of the key. */
const moving = (to: () => string) =>
  start(([name]) => (name === "HGET" ? `-MOVED 3999 ${to()}\r\n` : "+OK\r\n"));

describe("a single Redis", () => {
  it("has all keys, and is not taken for a node of a cluster", async () => {
    const redis = await start(OK);
    const master = await findMaster([redis.url], KEY);
    expect(master.url).toBe(redis.url);
    expect(redis.commands).toEqual([["HGET", KEY, "count"]]);
    master.connection.close();
  });

  it("that refuses says why", async () => {
    const redis = await start(() => "-NOPERM no\r\n");
    await expect(findMaster([redis.url], KEY)).rejects.toThrow("NOPERM no");
  });
});

describe("a node of a Redis Cluster", () => {
  it("names the master, on another host or on its own", async () => {
    const master = await start(OK);
    const withHost = await moving(() => `127.0.0.1:${master.port}`);
    const withoutHost = await moving(() => `:${master.port}`);
    for (const node of [withHost, withoutHost]) {
      const found = await findMaster([node.url], KEY);
      expect(found.url).toBe(master.url);
      found.connection.close();
      await expect.poll(() => node.connections).toBe(0);
    }
  });

  it("may send in a circle, which is not followed for ever", async () => {
    const node: FakeRedis = await moving(() => `127.0.0.1:${node.port}`);
    await expect(findMaster([node.url], KEY)).rejects.toThrow("MOVED");
    expect(node.commands).toHaveLength(4);
  });
});

describe("several addresses", () => {
  it("lead to the master if one of them is alive, and leave one connection open", async () => {
    const master = await start(OK);
    const node = await moving(() => `127.0.0.1:${master.port}`);
    const dead = `redis://127.0.0.1:${await ownPort()}`;
    const found = await findMaster([dead, node.url, master.url], KEY);
    expect(found.url).toBe(master.url);
    await expect.poll(() => node.connections + master.connections).toBe(1);
    found.connection.close();
  });

  it("are of one Redis Cluster: a single Redis is not taken", async () => {
    const single = await start(([name]) => (name === "READWRITE" ? "-ERR no cluster\r\n" : "+OK\r\n"));
    await expect(findMaster([single.url, single.url], KEY)).rejects.toThrow("ERR no cluster");
  });
});
