import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findMaster } from "../../src/server/cluster/redis-master.ts";
import { keysOf } from "../../src/server/cluster/redis-scripts.ts";
import { Shards } from "../../src/server/cluster/shards.ts";
import { ownPort } from "../programs/own-port.ts";
import { documentedUser, RedisServer, whyNoRedis } from "../programs/redis-server.ts";
import { TestClient } from "../support/client.ts";
import { SECRET, TestGateway } from "../support/gateway.ts";
import { GatewayProcess } from "../support/process.ts";
import { RedisCluster, type RedisClusterNode, tell } from "../support/redis-cluster.ts";
import { unless } from "../support/unless.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const LEASE_MS = 2_000;
/** Long enough for a client to reconnect in time on a busy machine. */
const WINDOW_MS = 6_000;
const SHARDS = 4;
const LARGE = { id: "large", secrets: [SECRET], shards: SHARDS };
const SMALL = Array.from({ length: 8 }, (_, i) => ({ id: `app-${i}`, secrets: [SECRET] }));
const APPS = [LARGE, ...SMALL];

const layout = new Shards(SHARDS, APPS);
const keys = (appId: string, userId = "") => keysOf(layout.find(appId, userId)!);

unless(whyNoRedis(), describe)("nodes on a Redis Cluster of three masters", () => {
  let redis: RedisCluster;
  let a: TestGateway;
  let b: TestGateway;
  const env = () => ({
    // The Redis user has only the rights that docs/operations.md lists.
    REDIS_URL: redis.url.replaceAll("//", "//presence:a-password@"),
    REDIS_SHARDS: String(SHARDS),
    NODE_LEASE_MS: String(LEASE_MS),
    RESUME_WINDOW_MS: String(WINDOW_MS),
    DIFF_INTERVAL_MS: "10",
  });

  async function start(): Promise<TestGateway> {
    const gateway = await TestGateway.start("ws", { apps: APPS, env: env() });
    await until(async () => (await statusOf(gateway)) === "ready");
    return gateway;
  }

  beforeAll(async () => {
    redis = await RedisCluster.start(3, 1, documentedUser());
    [a, b] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await Promise.all([a, b].map((gateway) => gateway?.stop()));
    await redis?.stop();
  });

  const statusOf = async (gateway: TestGateway): Promise<string> => {
    // Requests without a pause would keep it from doing anything else.
    await delay(20);
    return (await gateway.http("GET", "/readyz")).json.status;
  };
  const users = (gateway: TestGateway, appId: string) =>
    Array.from(gateway.presence(appId).table.all(), ({ user }) => user.userId).sort();

  /** Connects a back end of an app, which may open sessions for every user. */
  async function enter(gateway: TestGateway, appId: string): Promise<TestClient> {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }, undefined, appId) });
    await client.next("connected");
    return client;
  }

  /** Finds an app with keys on one of these masters. A client on the other node subscribes to its user. */
  async function appOn(
    nodes: readonly RedisClusterNode[],
    userId: string,
  ): Promise<{ appId: string; watcher: TestClient; master: RedisClusterNode }> {
    for (const { id: appId } of SMALL) {
      const master = await redis.masterOf(keys(appId).nodes);
      if (!nodes.includes(master)) continue;
      const watcher = await enter(b, appId);
      await watcher.subscribe({ userIds: [userId] });
      return { appId, watcher, master };
    }
    throw new Error("no app is there");
  }

  const areReady = () =>
    until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");

  it("spread apps over the masters, and a large app over all of them", async () => {
    const masters = new Set<unknown>();
    for (const { id } of SMALL) {
      const source = await enter(a, id);
      await source.open({ userId: `alice of ${id}` });
      await until(() => users(b, id).includes(`alice of ${id}`));
      const { log, rows, nodes } = keys(id);
      const { server } = await redis.masterOf(nodes);
      masters.add(server);
      expect(await tell(server, "EXISTS", log, rows, nodes)).toBe(3);
    }
    expect(masters.size).toBe(3);
    const source = await enter(a, LARGE.id);
    const all = Array.from({ length: 40 }, (_, i) => `user-${10 + i}`);
    for (const userId of all) await source.open({ userId });
    await until(() => users(b, LARGE.id).length === 40);
    expect(users(b, LARGE.id)).toEqual(all);
    const large = new Map(all.map((userId) => [keys(LARGE.id, userId).rows, userId]));
    expect(large.size).toBe(SHARDS);
    for (const [rows, userId] of large) {
      expect(String(await tell((await redis.masterOf(rows)).server, "HVALS", rows))).toContain(userId);
    }
    expect(await statusOf(a)).toBe("ready");
  });

  it("follow slots that move while events flow", async () => {
    const [, one, other] = redis.masters;
    const { appId, watcher } = await appOn([one!], "bob");
    const source = await enter(a, appId);
    const sessionId = await source.open({ userId: "bob" });
    let isMoving = true;
    let n = 0;
    const flow = (async () => {
      // This takes as long as it takes, because the test needs many events.
      while (isMoving || n <= 20) {
        await source.ask({ type: "update", sessionId, custom: { n: String(++n) } });
        await delay(2);
      }
    })();
    for (let i = 0; i < 2; i++) {
      await delay(300);
      expect(await redis.move(keys(appId).nodes, one!, other!)).toBe(3);
      await delay(300);
      expect(await redis.move(keys(appId).nodes, other!, one!)).toBe(3);
    }
    isMoving = false;
    await flow;
    expect(n).toBeGreaterThan(20);
    let last = 0;
    while (last < n) {
      const { data } = await watcher.next("diff");
      const next = Number(data.bob.widgets[0].custom.n ?? 0);
      expect(next).toBeGreaterThanOrEqual(last);
      last = next;
    }
    await areReady();
  });

  it("lose a master, which comes back empty: apps on the other masters are not affected, no user leaves", async ({
    onTestFinished,
  }) => {
    const { appId, watcher, master } = await appOn([redis.masters[2]!], "carol");
    const other = await appOn([redis.masters[1]!], "dave");
    const source = await enter(a, appId);
    await source.open({ userId: "carol" });
    await watcher.next("diff");
    await master.server.stop();
    onTestFinished(() => master.server.startAgain());
    await until(async () => (await statusOf(a)) === "degraded");
    expect((await b.http("GET", "/readyz")).status).toBe(200);
    const elsewhere = await enter(a, other.appId);
    await elsewhere.open({ userId: "dave" });
    await other.watcher.next("diff");
    await source.open({ userId: "erin" });
    expect(users(a, appId)).toContain("erin");
    await delay(LEASE_MS + 500);
    expect(users(b, appId)).not.toContain("erin");
    await master.server.startAgain();
    await until(() => users(b, appId).includes("erin"));
    await areReady();
    expect(watcher.inbox).toEqual([]);
  });

  it("lose a master whose replica takes over", async ({ onTestFinished }) => {
    const { appId, watcher, master } = await appOn([redis.masters[0]!, ...redis.replicas], "frank");
    const source = await enter(a, appId);
    await source.open({ userId: "frank" });
    await watcher.next("diff");
    await master.server.stop();
    onTestFinished(async () => {
      await master.server.startAgain();
      await redis.follows(master.server);
    });
    await source.open({ userId: "grace" });
    await until(() => users(b, appId).includes("grace"));
    expect(await redis.masterOf(keys(appId).log)).not.toBe(master);
    await areReady();
    expect(watcher.inbox).toEqual([]);
  });

  it("lose one node: users who come back never leave, and the others leave once", async () => {
    const node = new GatewayProcess({ ...env(), APPS: JSON.stringify(APPS), HOST: "127.0.0.1" });
    try {
      const port = await node.port();
      await until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200);
      const watcher = await enter(b, LARGE.id);
      const { view } = await watcher.subscribe({ userIds: ["heidi", "ivan"] });
      const client = await TestClient.open(`ws://127.0.0.1:${port}/v1/${LARGE.id}/realtime`);
      client.send({ type: "connect", token: await a.token({ tokenType: "app" }, undefined, LARGE.id) });
      await client.next("connected");
      await client.open({ userId: "heidi" });
      const sessionId = await client.open({ userId: "ivan" });
      await until(() => Object.keys(watcher.views.get(view)!.data).length === 2);
      watcher.inbox.length = 0;
      await node.stop("SIGKILL");
      const again = await enter(a, LARGE.id);
      expect(await again.ask({ type: "open", kind: "widget", userId: "ivan", sessionId })).toMatchObject({
        resumed: true,
      });
      const left = await watcher.next("diff");
      expect(left).toMatchObject({ data: { heidi: null }, causes: { heidi: "node-lost" } });
      await until(() => !users(a, LARGE.id).includes("heidi"));
      expect(users(a, LARGE.id)).toEqual(users(b, LARGE.id));
      expect(watcher.inbox).toEqual([]);
      expect(node.output).not.toContain("NOPERM");
    } finally {
      await node.stop("SIGKILL");
    }
  });

  it("find the cluster although one address is dead, and refuse two different Redises", async () => {
    const nowhere = `redis://127.0.0.1:${await ownPort()}`;
    for (const { nodes } of SMALL.map(({ id }) => keys(id))) {
      const found = await findMaster([nowhere, redis.masters[1]!.server.url], nodes);
      expect(await found.connection.ask(["EXISTS", nodes], PATIENCE_MS)).toBe(1);
      found.connection.close();
    }
    await expect(findMaster([nowhere], "x")).rejects.toThrow("ECONNREFUSED");
    const alone = [await RedisServer.start(), await RedisServer.start()];
    try {
      await expect(
        findMaster(
          alone.map(({ url }) => url),
          "x",
        ),
      ).rejects.toThrow("cluster support disabled");
    } finally {
      await Promise.all(alone.map((each) => each.stop()));
    }
  });
});
