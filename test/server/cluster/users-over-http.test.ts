import { describe, expect, it, type TestContext } from "vitest";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { APP, TestGateway } from "../../support/gateway.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";

// Sessions over HTTP, statuses and erasing, where one call goes to one node and the next to another.

const V1 = `/v1/${APP}`;
const ALICE = `${V1}/users/alice`;

/** Two nodes on a Redis of the test's own, until the test ends. */
async function setUp({ onTestFinished }: TestContext, transport: (typeof TRANSPORTS)[number]) {
  const redis = await RedisServer.start();
  const nodes: TestGateway[] = [];
  onTestFinished(async () => {
    try {
      await Promise.all(nodes.map((node) => node.stop()));
    } finally {
      await redis.stop();
    }
  });
  const join = async (): Promise<TestGateway> => {
    const env = { REDIS_URL: redis.url, DIFF_INTERVAL_MS: "0" };
    const node = await TestGateway.start(transport, { env, app: { lastSeen: true } });
    nodes.push(node);
    await until(async () => (await node.http("GET", "/readyz")).status === 200);
    return node;
  };
  return { join };
}

const widgets = async (node: TestGateway) => (await node.query({ userIds: ["alice"] })).alice?.widgets ?? [];

unless(whyNoRedis(), describe).each(TRANSPORTS)("users over HTTP, on two nodes over %s", (transport) => {
  it.concurrent("a PUT on the other node takes the session over, and a DELETE there ends it", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const path = `${ALICE}/sessions/bot`;
    const opened = (await a.http("PUT", path, { custom: { by: "a" }, ttlMs: 1_000_000 })).json.data;
    await until(async () => (await widgets(b)).length === 1);
    const watcher = await a.connect();
    await watcher.subscribe({ userIds: ["alice"] });

    const taken = (await b.http("PUT", path, { hasFocus: true, ttlMs: 1_000 })).json.data;
    expect(taken).toMatchObject({ sessionId: opened.sessionId, created: false });
    const { data } = await watcher.next("diff");
    expect(data.alice.widgets).toMatchObject([
      { sessionId: opened.sessionId, hasFocus: true, custom: { by: "a" } },
    ]);
    // The life that the first node gave it counts no more, and the one of the second node does.
    expect(await watcher.next("diff")).toMatchObject({ data: { alice: null }, causes: { alice: "timeout" } });

    await a.http("PUT", path);
    expect((await watcher.next("diff")).data.alice.widgets).toHaveLength(1);
    await until(async () => (await widgets(b)).length === 1);
    expect((await b.http("DELETE", path)).json).toEqual({ ended: 1 });
    expect(await watcher.next("diff")).toMatchObject({ causes: { alice: "closed" } });
    expect((await a.http("DELETE", path)).json).toEqual({ ended: 0 });
  });

  it.concurrent("a status is the same on all nodes, and so is its end", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const statusOn = async (node: TestGateway) => (await node.http("GET", `${ALICE}/status`)).json.data;
    await a.http("PUT", `${ALICE}/status`, { availability: "busy", text: "in a call" });
    await until(async () => (await statusOn(b)).availability === "busy");
    expect(await statusOn(b)).toEqual({ availability: "busy", text: "in a call" });
    await b.http("DELETE", `${ALICE}/status`);
    await until(async () => (await statusOn(a)).availability === "available");
  });

  it.concurrent("an erased user is gone from all nodes and from Redis, and is never shown", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const alice = await a.connect("alice");
    await alice.open({ custom: { secret: "s" } });
    await b.http("PUT", `${ALICE}/sessions/bot`, {});
    await until(async () => (await widgets(a)).length === 2);
    await a.http("PUT", `${ALICE}/status`, { availability: "invisible", text: "hidden words" });
    const hidden = async (node: TestGateway) => Object.keys(await node.query()).length === 0;
    await until(async () => (await hidden(a)) && (await hidden(b)));
    const watchers = await Promise.all([a, b].map((node) => node.connect()));
    for (const watcher of watchers) await watcher.subscribe({});

    expect((await b.http("DELETE", ALICE)).json).toEqual({ ended: 2, erased: true });
    expect(await alice.next("closed")).toMatchObject({ cause: "kicked" });
    for (const node of [a, b]) {
      await until(async () => {
        const { data } = (await node.http("GET", `${ALICE}/status`)).json;
        return data.availability === "available" && data.text === undefined;
      });
      expect((await node.http("POST", `${V1}/last-seen`, { userIds: ["alice"] })).json.data).toEqual({});
    }
    // A node that joins reads what Redis has kept.
    const late = await join();
    expect(await late.query({ includeInvisible: true })).toEqual({});
    expect((await late.http("GET", `${ALICE}/status`)).json.data).toEqual({ availability: "available" });
    expect((await late.http("POST", `${V1}/last-seen`, { userIds: ["alice"] })).json.data).toEqual({});
    // Somebody else is the first whom the watchers see.
    await a.http("PUT", `${V1}/users/bob/sessions/k`);
    for (const watcher of watchers) {
      const diff = await watcher.next("diff");
      expect([diff.version, Object.keys(diff.data)]).toEqual([2, ["bob"]]);
    }
  });
});
