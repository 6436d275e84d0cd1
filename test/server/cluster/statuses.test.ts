import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { httpSessionId } from "../../../src/server/gateway/http-session-id.ts";
import {
  endHttpSession,
  type HttpSessionWrite,
  writeHttpSession,
} from "../../../src/server/gateway/http-sessions.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import type { TestClient } from "../../support/client.ts";
import { APP, TestGateway } from "../../support/gateway.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";

const LEASE_MS = 2_000;
const WINDOW_MS = 2_000;

/** A node whose way to Redis can be disturbed. */
interface Node {
  readonly gateway: TestGateway;
  readonly network: TcpProxy;
}

let redis: RedisServer;
let nodes: Node[];

async function start(): Promise<Node> {
  const network = await TcpProxy.start(redis.port);
  const gateway = await TestGateway.start("ws", {
    env: {
      REDIS_URL: `redis://127.0.0.1:${network.port}`,
      NODE_LEASE_MS: String(LEASE_MS),
      RESUME_WINDOW_MS: String(WINDOW_MS),
      DIFF_INTERVAL_MS: "10",
    },
    app: { lastSeen: true },
  });
  const node = { gateway, network };
  nodes.push(node);
  await until(async () => (await gateway.http("GET", "/readyz")).status === 200);
  return node;
}

async function stop(...stopped: Node[]): Promise<void> {
  nodes = nodes.filter((node) => !stopped.includes(node));
  await Promise.all(stopped.map(({ gateway }) => gateway.stop()));
  await Promise.all(stopped.map(({ network }) => network.stop()));
}

const declare = async (client: TestClient, fields: object) =>
  expect((await client.ask({ type: "status", ...fields })).type).toBe("ok");
/** A user as a node shows them. */
const shown = async ({ gateway }: Node, userId = "alice") =>
  (await gateway.query({ userIds: [userId], fields: [] }))[userId];
const lastSeenAt = ({ gateway }: Node, userId = "alice") =>
  gateway.presence().table.profile(userId).lastSeenAt;

unless(whyNoRedis(), describe)("nodes on one Redis", () => {
  beforeEach(async () => {
    redis = await RedisServer.start();
    nodes = [];
  });
  afterEach(async () => {
    await stop(...nodes);
    await redis.stop();
  });

  it("show a status that was declared on another, invisible users included, also after all restarted", async () => {
    const [a, b] = [await start(), await start()];
    const watcher = await b.gateway.connect();
    await watcher.subscribe({ fields: [] });
    const [alice, bob] = [await a.gateway.connect("alice"), await a.gateway.connect("bob")];
    await alice.open({});
    await bob.open({});
    await until(async () => (await shown(b, "bob")) !== undefined);
    await declare(alice, { availability: "busy", text: "in a call", emoji: "📞", expiresInMs: 3_600_000 });
    await declare(bob, { availability: "invisible" });
    const busy = { status: "busy", statusText: "in a call", statusEmoji: "📞" };
    await until(async () => (await shown(b)).status === "busy" && (await shown(b, "bob")) === undefined);
    expect(await shown(b)).toEqual(busy);
    const left = await watcher.take((each) => each.type === "diff" && each.data.bob === null);
    expect(left.causes).toEqual({ bob: "closed" });
    const seen = lastSeenAt(b, "bob");
    expect(seen).toBe(lastSeenAt(a, "bob"));
    expect(seen).toBeTypeOf("number");
    const invisible = { userIds: ["bob"], includeInvisible: true, fields: [] };
    expect(await b.gateway.query(invisible)).toEqual({ bob: { status: "invisible" } });
    await stop(a, b);
    const c = await start();
    const [again, hidden] = [await c.gateway.connect("alice"), await c.gateway.connect("bob")];
    await again.open({});
    await hidden.open({});
    expect(await shown(c)).toEqual(busy);
    expect(await shown(c, "bob")).toBe(undefined);
    expect(await c.gateway.query(invisible)).toEqual({ bob: { status: "invisible" } });
    expect(lastSeenAt(c, "bob")).toBe(seen);
  });

  it("agree after a partition on what was declared last, and a session that ended undoes nothing", async () => {
    const [a, b] = [await start(), await start()];
    const [onA, onB] = [await a.gateway.connect(), await b.gateway.connect()];
    for (const userId of ["alice", "bob"]) await onB.open({ userId });
    await until(async () => (await shown(a, "bob")) !== undefined);
    b.network.refuse(true);
    b.network.cut();
    await until(async () => (await b.gateway.http("GET", "/readyz")).json.status === "degraded");
    await declare(onA, { userId: "alice", availability: "away" });
    await delay(5);
    await declare(onB, { userId: "alice", availability: "dnd", text: "last" });
    await declare(onB, { userId: "bob", availability: "away" });
    await delay(5);
    await declare(onA, { userId: "bob", availability: "busy" });
    // Bob's only session that this node knows ends, while he has another one where he declared that. Carol
    // has one here that begins and ends after she declared something there.
    await onA.open({ userId: "bob" });
    await declare(onA, { userId: "carol", availability: "busy" });
    await delay(5);
    await onB.open({ userId: "carol" });
    onB.socket.close(1000);
    await until(async () => (await shown(b, "bob")) === undefined);
    await onA.open({ userId: "alice" });
    b.network.refuse(false);
    await until(async () => (await shown(b, "bob"))?.status === "busy");
    for (const node of [a, b]) {
      await until(async () => (await shown(node))?.status === "dnd");
      expect(await shown(node)).toEqual({ status: "dnd", statusText: "last" });
      expect(await shown(node, "bob")).toEqual({ status: "busy" });
      const carol = async () => (await node.gateway.http("GET", `/v1/${APP}/users/carol/status`)).json;
      await until(async () => (await carol()).data.availability === "busy");
    }
  });

  it("take over sessions that are written over HTTP, and end those of each other", async () => {
    const [a, b] = [await start(), await start()];
    const write = ({ gateway }: Node, body: HttpSessionWrite = {}) =>
      writeHttpSession(gateway.presence(), "alice", "bot", body, gateway.node.clock.now());
    const end = ({ gateway }: Node) =>
      endHttpSession(gateway.presence(), "alice", "bot", gateway.node.clock.now());
    const sessionId = httpSessionId("alice", "bot");
    const row = async ({ gateway }: Node) =>
      (await gateway.query({ includeBackgroundSessions: true })).alice?.widgets[0];
    const watcher = await a.gateway.connect();
    await watcher.subscribe({});
    expect(write(a, { custom: { page: "x" }, ttlMs: 3_000 })).toMatchObject({ ok: true, isNew: true });
    await until(async () => (await row(b)) !== undefined);
    expect(write(b, { hasFocus: true, ttlMs: 60_000 })).toMatchObject({ ok: true, isNew: false, sessionId });
    await until(async () => (await row(a))?.hasFocus === true);
    // The life that it had on the other node is over, and means nothing any more.
    await delay(3_500);
    expect(await row(a)).toMatchObject({ sessionId, hasFocus: true, custom: { page: "x" } });
    expect(end(a)).toBe(true);
    await until(async () => (await row(b)) === undefined);
    expect(end(b)).toBe(false);
    // The id is used again: of another kind, and on both nodes before either hears of the other.
    expect(write(a, { kind: "background", ttlMs: 60_000 })).toMatchObject({ ok: true, isNew: true });
    expect(write(b, { kind: "background", hasFocus: true, ttlMs: 60_000 })).toMatchObject({ ok: true });
    const all = async ({ gateway }: Node) =>
      JSON.stringify(await gateway.query({ includeBackgroundSessions: true }));
    await delay(500);
    await until(async () => (await all(a)) === (await all(b)));
    expect(JSON.parse(await all(a)).alice.backgroundSessions).toHaveLength(1);
    const owners = [a, b].map(
      ({ gateway }) => gateway.presence().table.get(sessionId)!.ownership!.owner === undefined,
    );
    expect(owners.sort()).toEqual([false, true]);
    // Nobody had to read everything anew for that.
    for (const { gateway } of [a, b]) {
      const { text } = await gateway.http("GET", "/metrics");
      expect(text).toMatch(/^presence_cluster_resyncs\w*\{reason="refused"\} 0$/m);
    }
    expect(end(a)).toBe(true);
    expect(write(a)).toMatchObject({ ok: true, isNew: true });
    await until(async () => (await row(b)) !== undefined);
    expect(await all(b)).toBe(await all(a));
  });
});
