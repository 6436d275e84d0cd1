import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, type TestContext } from "vitest";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { APP, TestGateway } from "../../support/gateway.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { TestSdk } from "../../support/sdk.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";

const LEASE_MS = 2_000;
/** Long enough for a client to come back in time on a machine that is busy with other things. */
const WINDOW_MS = 8_000;

/** A Redis of the test's own, and nodes that share it, until the test ends. */
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
  const start = async (env: Record<string, string> = {}): Promise<TestGateway> => {
    const node = await TestGateway.start(transport, {
      env: {
        REDIS_URL: redis.url,
        NODE_LEASE_MS: String(LEASE_MS),
        RESUME_WINDOW_MS: String(WINDOW_MS),
        DIFF_INTERVAL_MS: "10",
        ...env,
      },
    });
    nodes.push(node);
    return node;
  };
  const ready = async (node: TestGateway) =>
    await until(async () => (await node.http("GET", "/readyz")).status === 200);
  /** Starts one more, and waits until it is ready. */
  const join = async (): Promise<TestGateway> => {
    const node = await start();
    await ready(node);
    return node;
  };
  return { redis, nodes, start, ready, join };
}

// Most of the time they wait for leases to end, and so do it together.
unless(whyNoRedis(), describe).each(TRANSPORTS)("two nodes on one Redis, over %s", (transport) => {
  it.concurrent("show each other's sessions at every door", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const watcher = await b.connect();
    await watcher.subscribe({ selectedConversationId: "c1" });
    const alice = await a.connect("alice");
    const sessionId = await alice.open({ selectedConversationId: "c1", custom: { page: "x" } });
    const { data } = await watcher.next("diff");
    expect(data.alice.widgets).toEqual([
      { selectedConversationId: "c1", custom: { page: "x" }, hasFocus: false, isTyping: false, sessionId },
    ]);
    alice.send({ type: "update", isTyping: true });
    expect((await watcher.next("diff")).data.alice.widgets[0].isTyping).toBe(true);
    expect(await b.query({ isTyping: true })).toEqual(await a.query({ isTyping: true }));
    expect((await b.http("GET", "/v1/test-app/stats")).json).toMatchObject({
      users: 1,
      widgets: 1,
      typing: 1,
    });
    expect((await b.http("GET", "/v1/test-app/users/alice/sessions")).json).toEqual([
      { isTyping: true, currentConversationId: "c1" },
    ]);
    alice.send({ type: "close" });
    expect((await watcher.next("diff")).causes).toEqual({ alice: "closed" });
  });

  it.concurrent("resume each other's sessions, and no subscriber sees a change", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const watcher = await a.connect();
    await watcher.subscribe({});
    const alice = await a.connect("alice");
    const sessionId = await alice.open({ hasFocus: true });
    await watcher.next("diff");
    alice.terminate();
    await until(async () => Object.keys(await b.query({})).length === 1);
    const again = await b.connect("alice");
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({
      sessionId,
      resumed: true,
    });
    await delay(WINDOW_MS + 1_000);
    expect(watcher.inbox).toEqual([]);
    // And taken over while its socket is there.
    const third = await a.connect("alice");
    expect(await third.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
    expect(await again.next("closed")).toEqual({ type: "closed", sessionId, cause: "replaced" });
    expect(watcher.inbox).toEqual([]);
  });

  it.concurrent("are one table to a watcher who is moved while others leave, until Redis loses it", async (context) => {
    const { redis, join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const proxy = await TcpProxy.start(a.gateway.port);
    const url = `http://127.0.0.1:${proxy.port}`;
    const sdk = new TestSdk(url, await a.token({ tokenType: "app" }));
    context.onTestFinished(async () => {
      await sdk.client.close();
      await proxy.stop();
    });
    const others = await b.connect();
    const alice = await others.open({ userId: "alice" });
    await others.open({ userId: "bob" });
    const watched = sdk.watch({});
    await until(() => watched.subscription.snapshot?.size === 2);
    proxy.refuse(true);
    proxy.cut();
    others.send({ type: "close", sessionId: alice });
    await until(async () => Object.keys(await b.query({})).length === 1);
    proxy.retarget(b.gateway.port);
    proxy.refuse(false);
    await until(() => watched.subscription.snapshot?.size === 1);
    // Not the cause of users who did not come back in time.
    expect(watched.changes.flatMap(({ left }) => left)).toEqual([{ userId: "alice", cause: "unknown" }]);
    const tableOf = (node: TestGateway) => node.node.tableIdOf(APP);
    const before = tableOf(a);
    expect(tableOf(b)).toBe(before);
    await redis.stop();
    await until(() => a.node.isDegraded && b.node.isDegraded);
    expect(new Set([before, tableOf(a), tableOf(b)]).size).toBe(3);
    await redis.startAgain();
    await until(() => !a.node.isDegraded && !b.node.isDegraded && tableOf(a) === tableOf(b));
    expect(tableOf(a)).not.toBe(before);
  });

  it.concurrent("kick for each other", async (context) => {
    const { join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const alice = await a.connect("alice");
    const sessionId = await alice.open({});
    await until(async () => Object.keys(await b.query({})).length === 1);
    expect((await b.http("DELETE", "/v1/test-app/users/alice/sessions")).json).toEqual({ ended: 1 });
    expect(await alice.next("closed")).toEqual({ type: "closed", sessionId, cause: "kicked" });
    expect(await a.query({})).toEqual({});
  });

  it.concurrent("hand over when one goes down", async (context) => {
    const { nodes, join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const watcher = await b.connect();
    await watcher.subscribe({});
    const alice = await a.connect("alice");
    const sessionId = await alice.open({});
    await watcher.next("diff");
    await a.stop();
    nodes.splice(0, 1);
    const again = await b.connect("alice");
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
    await delay(LEASE_MS + WINDOW_MS + 500);
    expect(watcher.inbox).toEqual([]);
  });

  it.concurrent("start when Redis does, and report until then that they are starting", async (context) => {
    const { redis, start, ready } = await setUp(context, transport);
    await redis.stop();
    const node = await start();
    expect((await node.http("GET", "/readyz")).json).toEqual({ status: "starting" });
    expect((await node.http("POST", "/v1/test-app/presences", {})).status).toBe(503);
    await redis.startAgain();
    await ready(node);
    expect(await node.query({})).toEqual({});
  });

  it.concurrent("serve on while Redis stands still, and agree when it goes on", async (context) => {
    const { redis, join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const watcher = await b.connect();
    await watcher.subscribe({});
    const alice = await a.connect("alice");
    await alice.open({});
    await watcher.next("diff");
    redis.freeze();
    await until(async () => (await a.http("GET", "/readyz")).json.status === "degraded");
    const bob = await a.connect("bob");
    await bob.open({});
    expect(Object.keys(await a.query({}))).toEqual(["alice", "bob"]);
    await delay(LEASE_MS + WINDOW_MS);
    expect((await b.http("GET", "/readyz")).status).toBe(200);
    expect(watcher.inbox).toEqual([]);
    redis.thaw();
    expect(Object.keys((await watcher.next("diff")).data)).toEqual(["bob"]);
    await until(async () => (await a.http("GET", "/readyz")).json.status === "ready");
    expect(await a.query({})).toEqual(await b.query({}));
  });

  it.concurrent("write again what a Redis that was restarted empty has lost", async (context) => {
    const { redis, join } = await setUp(context, transport);
    const [a, b] = [await join(), await join()];
    const watcher = await b.connect();
    await watcher.subscribe({});
    const alice = await a.connect("alice");
    await alice.open({});
    await watcher.next("diff");
    await redis.stop();
    await redis.startAgain();
    const third = await join();
    await until(async () => Object.keys(await third.query({})).length === 1);
    await delay(LEASE_MS + WINDOW_MS + 4_000);
    expect(watcher.inbox).toEqual([]);
    expect(await third.query({})).toEqual(await b.query({}));
  });
});
