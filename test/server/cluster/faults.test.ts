import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import { documentedUser, RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { APP, TestGateway } from "../../support/gateway.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { unless } from "../../support/unless.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";

const LEASE_MS = 2_000;
const WINDOW_MS = 2_000;

/** A node whose way to Redis can be disturbed. */
interface Node {
  readonly gateway: TestGateway;
  readonly network: TcpProxy;
}

let redis: RedisServer;
let raw: RedisConnection;
let nodes: Node[];

async function start(env: Record<string, string> = {}): Promise<Node> {
  const network = await TcpProxy.start(redis.port);
  const gateway = await TestGateway.start("ws", {
    env: {
      REDIS_URL: `redis://127.0.0.1:${network.port}`,
      NODE_LEASE_MS: String(LEASE_MS),
      RESUME_WINDOW_MS: String(WINDOW_MS),
      DIFF_INTERVAL_MS: "10",
      ...env,
    },
  });
  const node = { gateway, network };
  nodes.push(node);
  await until(async () => (await statusOf(node)) === "ready");
  return node;
}

const statusOf = async ({ gateway }: Node): Promise<string> =>
  (await gateway.http("GET", "/readyz")).json.status;
const users = async ({ gateway }: Node): Promise<string[]> => Object.keys(await gateway.query({})).sort();
const count = async ({ gateway }: Node, metric: string): Promise<number> => {
  const { text } = await gateway.http("GET", "/metrics");
  return Number(new RegExp(`^presence_cluster_${metric} (\\d+)$`, "m").exec(text)?.[1]);
};

/** Sends a command to Redis over a connection that no node knows of. */
const ask = (...args: string[]) => raw.ask(args, PATIENCE_MS);
const { log, rows, nodes: register } = keysOf(0);

beforeEach(async () => {
  nodes = [];
  redis = await RedisServer.start();
  raw = await RedisConnection.open(redis.url);
});
afterEach(async () => {
  try {
    await Promise.all(nodes.map(({ gateway }) => gateway.stop()));
  } finally {
    await Promise.all(nodes.map(({ network }) => network.stop()));
    raw.close();
    await redis.stop();
  }
});

unless(whyNoRedis(), describe)("a node and its Redis", () => {
  it("notices within 5 s that nothing comes through any more, and comes back", async () => {
    const [a, b] = [await start({ NODE_LEASE_MS: "30000" }), await start({ NODE_LEASE_MS: "30000" })];
    a.network.blackhole(true);
    await until(async () => (await statusOf(a)) === "degraded");
    const bob = await b.gateway.connect("bob");
    await bob.open({});
    const alice = await a.gateway.connect("alice");
    await alice.open({});
    expect(await users(a)).toEqual(["alice"]);
    a.network.blackhole(false);
    a.network.cut();
    await until(async () => (await statusOf(a)) === "ready");
    await until(async () => (await users(a)).length === 2 && (await users(b)).length === 2);
    expect(await count(a, "expulsions_total")).toBe(0);
  });

  it("answers its clients at once, however far Redis is, and is followed in order", async () => {
    const env = { NODE_LEASE_MS: "30000", MESSAGES_PER_SECOND: "1000" };
    const [a, b] = [await start(env), await start(env)];
    const watcher = await b.gateway.connect();
    const { view } = await watcher.subscribe({});
    const alice = await a.gateway.connect("alice");
    const update = (n: number) => alice.ask({ type: "update", custom: { n: String(n) } });
    // As far as possible: writes arrive only when this test says so, however long the machine stands still.
    a.network.blackhole(true);
    await alice.open({});
    await Promise.all(Array.from({ length: 50 }, (_, i) => update(i + 1)));
    expect(await users(b)).toEqual([]);
    a.network.delay(400);
    a.network.blackhole(false);
    for (let i = 51; i <= 100; i++) await update(i);
    const seen = () => Number(watcher.views.get(view)?.data.alice?.widgets[0].custom.n);
    let last = 0;
    await until(() => {
      if (seen() < last) throw new Error(`${seen()} after ${last}`);
      last = seen() || last;
      return last === 100;
    });
    expect(await statusOf(a)).toBe("ready");
  });

  it("that was cut off for long is missed by the others, and comes back", async () => {
    const [a, b] = [await start(), await start()];
    const watcher = await b.gateway.connect();
    await watcher.subscribe({});
    const alice = await a.gateway.connect("alice");
    await alice.open({ hasFocus: true });
    const moved = await a.gateway.connect("moved");
    const sessionId = await moved.open({});
    await until(async () => (await users(b)).length === 2);
    a.network.refuse(true);
    a.network.cut();
    const again = await b.gateway.connect("moved");
    await again.ask({ type: "open", kind: "widget", sessionId });
    watcher.inbox.length = 0;
    const left = await watcher.next("diff");
    expect(left).toMatchObject({ data: { alice: null }, causes: { alice: "node-lost" } });
    expect(await users(a)).toEqual(["alice", "moved"]);
    // What it does meanwhile is done, and told later.
    await alice.ask({ type: "update", custom: { mood: "alone" } });
    a.network.refuse(false);
    const back = await watcher.next("diff");
    expect(Object.keys(back.data)).toEqual(["alice"]);
    expect(back.data.alice.widgets[0]).toMatchObject({ hasFocus: true, custom: { mood: "alone" } });
    expect(await moved.next("closed")).toMatchObject({ sessionId, cause: "replaced" });
    await delay(LEASE_MS + WINDOW_MS + 1_000);
    expect(watcher.inbox).toEqual([]);
    expect(await users(a)).toEqual(["alice", "moved"]);
    expect(await count(a, "expulsions_total")).toBe(1);
    // Of the one that it was before nothing is left: four fields of the log, and those of two nodes.
    await until(async () => (await ask("HLEN", register)) === 4 + 2 * 3 + 2);
  });

  it("serves on when Redis is out of memory, and agrees when it is not any more", async () => {
    const [a, b] = [await start(), await start()];
    const alice = await a.gateway.connect("alice");
    await alice.open({});
    await until(async () => (await users(b)).length === 1);
    const carol = await a.gateway.connect("carol");
    await carol.open({});
    await until(async () => (await users(b)).length === 2);
    await ask("CONFIG", "SET", "maxmemory", "1mb");
    const bob = await a.gateway.connect("bob");
    await bob.open({});
    await until(async () => (await statusOf(a)) === "degraded" && (await statusOf(b)) === "degraded");
    await delay(LEASE_MS + WINDOW_MS + 1_000);
    expect(await users(a)).toEqual(["alice", "bob", "carol"]);
    expect(await users(b)).toEqual(["alice", "carol"]);
    // Ends make room, so they are written.
    carol.send({ type: "close" });
    await until(async () => (await users(b)).length === 1);
    for (const node of nodes) {
      expect(await count(node, "redis_full")).toBe(1);
      for (const metric of ["nodes_lost_total", "expulsions_total", "disconnections_total"]) {
        expect(await count(node, metric)).toBe(0);
      }
      expect(node.gateway.log.filter((line) => line.includes("Redis is full"))).toHaveLength(1);
    }
    await ask("CONFIG", "SET", "maxmemory", "0");
    await until(async () => (await users(b)).length === 2);
    await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
    expect(await count(a, "redis_full")).toBe(0);
  });

  /** Sessions of as many users, each with a custom of 3,000 bytes: what one round writes to the log. */
  const ROUND = 50;
  async function openLarge(node: Node) {
    const app = await node.gateway.connect();
    const sessionIds: string[] = [];
    for (let i = 0; i < ROUND; i++) sessionIds.push(await app.open({ userId: `user-${i}` }));
    let rounds = 0;
    return async () => {
      const key = (n: number) => `${"k".repeat(60)}${n}`;
      const custom = Object.fromEntries(
        Array.from({ length: 6 }, (_, n) => [key(n), `${rounds}`.padEnd(440)]),
      );
      rounds++;
      for (const sessionId of sessionIds.slice(1)) app.send({ type: "update", sessionId, custom });
      await app.ask({ type: "update", sessionId: sessionIds[0]!, custom });
      const at = String(await ask("HGET", register, "count"));
      // It is written within a batch or two.
      await until(async () => Number(await ask("HGET", register, "count")) > Number(at));
    };
  }

  it("keeps its log within REDIS_LOG_BYTES, whatever clients write", async () => {
    const env = { REDIS_LOG_BYTES: String(4 * 1024 * 1024), MESSAGES_PER_SECOND: "1000" };
    const [a, b] = [await start(env), await start(env)];
    const write = await openLarge(a);
    let most = 0;
    for (let i = 0; i < 40; i++) {
      await write();
      most = Math.max(most, Number(await ask("MEMORY", "USAGE", log, "SAMPLES", "0")));
    }
    // Most of it was used, and one node of the stream may be left over.
    expect(most).toBeGreaterThan(2 * 1024 * 1024);
    expect(most).toBeLessThanOrEqual(4 * 1024 * 1024 + 8_192);
    await until(
      async () => JSON.stringify(await a.gateway.query({})) === JSON.stringify(await b.gateway.query({})),
    );
    for (const node of nodes) expect(await statusOf(node)).toBe("ready");
    process.stdout.write(`6 MB of changes: the log had at most ${(most / 1e6).toFixed(2)} MB\n`);
  });

  it("makes room by itself in a Redis that its log has filled, and no client notices", async () => {
    const env = { MESSAGES_PER_SECOND: "1000" };
    const [a, b] = [await start(env), await start(env)];
    const write = await openLarge(a);
    for (let i = 0; i < 60; i++) await write();
    const used = Number(/used_memory:(\d+)/.exec(String(await ask("INFO", "memory")))![1]);
    const before = Number(await ask("MEMORY", "USAGE", log, "SAMPLES", "0"));
    await ask("CONFIG", "SET", "maxmemory", String(used - 2_000_000));
    const bob = await a.gateway.connect("bob");
    await bob.open({});
    await until(async () => (await users(b)).includes("bob"));
    expect(Number(await ask("MEMORY", "USAGE", log, "SAMPLES", "0"))).toBeLessThan(0.6 * before);
    for (let i = 0; i < 5; i++) await write();
    await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
    expect(await users(b)).toEqual(await users(a));
    for (const node of nodes) expect(await count(node, "disconnections_total")).toBe(0);
  });

  it("warns at its start of a Redis that is too small, or that may delete data", async () => {
    const warnings = ({ gateway }: Node) => gateway.log.filter((line) => line.includes("of this Redis is"));
    await ask("CONFIG", "SET", "maxmemory", "100mb");
    const small = await start();
    await until(() => warnings(small).length === 1);
    expect(JSON.parse(warnings(small)[0]!)).toMatchObject({
      shard: 0,
      maxmemory: 100 * 1024 * 1024,
      needed: 128 * 1024 * 1024,
      msg: expect.stringContaining("too small for REDIS_LOG_BYTES"),
    });
    await ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const lower = await start({ REDIS_LOG_BYTES: String(32 * 1024 * 1024) });
    await until(() => warnings(lower).length === 1);
    expect(warnings(lower)[0]).toContain("is not noeviction");
    // A node without the right to `info` warns of nothing, and does everything else.
    await ask("ACL", "SETUSER", "nobody", "on", ">a-password", "~presence:1:*", "+@all", "-info");
    const url = (node: Node) => `redis://nobody:a-password@127.0.0.1:${node.network.port}`;
    const third = await start({ REDIS_URL: url(lower) });
    const alice = await third.gateway.connect("alice");
    await alice.open({});
    await until(async () => (await users(small)).length === 1);
    expect(warnings(third)).toEqual([]);
    expect(await count(third, "disconnections_total")).toBe(0);
  });

  it("goes on whatever others put into its Redis, however large", async () => {
    const [a, b] = [await start({ NODE_LEASE_MS: "30000" }), await start({ NODE_LEASE_MS: "30000" })];
    const alice = await a.gateway.connect("alice");
    await alice.open({});
    await until(async () => (await users(b)).length === 1);
    const large = "x".repeat(8 * 1024 * 1024);
    const deep = "[".repeat(100_000);
    const row = (userId: string) => JSON.stringify([1, APP, userId, "widget", 1, 0, 1, null, {}]);
    const next = async () => Number(await ask("HINCRBY", register, "count", "1"));
    await ask(
      "XADD",
      log,
      "*",
      "batch",
      `${await next()} 1 w`,
      "large",
      large,
      "deep",
      deep,
      "s",
      row("seen"),
    );
    await ask("XADD", log, "*", "batch", `${await next()} 2 w ${large}`, "s", row("unseen"));
    await ask("XADD", log, "*", "junk", large);
    const fields = Array.from({ length: 50_000 }, (_, i) => [`f${i}`, "v"]).flat();
    await ask("XADD", log, "*", "batch", `${await next()} 3 w`, ...fields);
    await ask(
      "HSET",
      rows,
      "s",
      `w ${row("seen")}`,
      "large",
      `w ${large}`,
      "deep",
      `w ${deep}`,
      large.slice(0, 2_000),
      `w ${row("id")}`,
    );
    await ask("HSET", register, "marks", `${"9".repeat(30)}:1 ${large.slice(0, 100_000)} 1:1`);
    for (let i = 0; i < 5; i++)
      await ask("HSET", register, ...Array.from({ length: 2_000 }, (_, n) => [`${i} ${n}`, "1"]).flat());
    await until(async () => (await users(a)).includes("seen") && (await users(b)).includes("seen"));
    for (const count of ["many", "1e300", "-5", "0.5", "99999999999999999"]) {
      await ask("HSET", register, "count", count);
      const user = `after ${count}`;
      const each = await a.gateway.connect(user);
      await each.open({});
      await until(async () => (await users(b)).includes(user));
    }
    await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
    for (const node of nodes) {
      expect(await users(node)).not.toContain("unseen");
      expect(await count(node, "bad_input_total")).toBeGreaterThan(2);
      expect(node.gateway.log.filter((line) => line.length > 2_000)).toEqual([]);
    }
    const third = await start();
    const shown = async (node: Node) => (await users(node)).join();
    await until(
      async () => (await shown(third)) === (await shown(a)) && (await shown(a)) === (await shown(b)),
    );
  });

  it("reads all rows again when the log was trimmed before it had read it", async () => {
    const [a, b] = [await start({ NODE_LEASE_MS: "30000" }), await start({ NODE_LEASE_MS: "30000" })];
    const alice = await a.gateway.connect("alice");
    const sessionId = await alice.open({});
    await until(async () => (await users(b)).length === 1);
    b.network.blackhole(true);
    alice.send({ type: "close", sessionId });
    for (let i = 0; i < 20; i++) {
      const each = await a.gateway.connect(`user-${i}`);
      await each.open({});
    }
    await until(async () => (await ask("HLEN", rows)) === 20);
    await ask("XTRIM", log, "MAXLEN", "1");
    b.network.blackhole(false);
    b.network.cut();
    await until(async () => (await users(b)).includes("user-19"));
    // For a session without a row, it waits a little for another node to write again.
    await until(async () => !(await users(b)).includes("alice"));
    expect(await users(b)).toEqual(await users(a));
  });

  it("is not affected by foreign data in its Redis", async () => {
    const [a, b] = [await start(), await start()];
    const alice = await a.gateway.connect("alice");
    await alice.open({});
    await until(async () => (await users(b)).length === 1);
    const before = await a.gateway.query({});
    const junk = [
      "batch",
      "bury",
      "join",
      "x",
      "",
      "é\u0000",
      "[1]",
      "é 1 w",
      `${2 ** 60} 1 w`,
      "z".repeat(1e5),
    ];
    const startedAt = performance.now();
    await ask("XADD", log, "*", "batch", "z".repeat(1e6));
    for (let i = 0; i < 1_000; i++) {
      await ask("XADD", log, "*", junk[i % 5]!, junk[(i * 7) % junk.length]!, "s", '[1,"test-app"]');
    }
    await ask(
      "HSET",
      rows,
      "junk",
      "w [1",
      "more",
      "",
      "again",
      `w [1,"${APP}","x","widget",1,0,99,null,{}]`,
    );
    const bob = await b.gateway.connect("bob");
    await bob.open({});
    await until(async () => (await users(a)).length === 2);
    expect((await a.gateway.query({ userIds: ["alice"] })).alice).toEqual(before.alice);
    expect(await count(a, "bad_input_total")).toBeGreaterThan(500);
    const lines = a.gateway.log.filter((line) => line.includes("ignored data in Redis"));
    // At most one a second, and the first at once.
    expect(lines.length).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 1_000);
    // What looks like an entry of another time makes them look again, and that is all.
    await ask("XADD", log, "*", "batch", "1 1 w", "s", "[1]");
    await until(async () => (await count(a, "gaps_total")) === 1);
    await until(async () => (await statusOf(a)) === "ready");
    const third = await start();
    expect(await users(third)).toEqual(["alice", "bob"]);
    expect(await users(a)).toEqual(["alice", "bob"]);
  });

  it("notices when its keys are deleted", async () => {
    const [a, b] = [await start(), await start()];
    const alice = await a.gateway.connect("alice");
    await alice.open({});
    await until(async () => (await users(b)).length === 1);
    for (const key of [rows, log, register]) {
      await ask("DEL", key);
      const user = `after ${key}`;
      const each = await a.gateway.connect(user);
      await each.open({});
      await alice.ask({ type: "update", custom: { key } });
      await until(async () => (await users(b)).includes(user));
      await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
      await until(
        async () => JSON.stringify(await a.gateway.query({})) === JSON.stringify(await b.gateway.query({})),
      );
      const third = await start();
      await until(async () => (await users(third)).length === (await users(a)).length);
      await third.gateway.stop();
      await third.network.stop();
      nodes.pop();
    }
  });

  it("needs no more rights in Redis than docs/operations.md says", async () => {
    await ask("ACL", "SETUSER", ...documentedUser().split(" "));
    await ask("ACL", "SETUSER", "default", "nopass", "+@all");
    const withRights = (node: string) => ({
      REDIS_URL: redis.url.replace("//", "//presence:a-password@"),
      NODE_ID: node,
    });
    const [a, b] = [await start(withRights("a")), await start(withRights("b"))];
    const alice = await a.gateway.connect("alice");
    const sessionId = await alice.open({});
    await until(async () => (await users(b)).length === 1);
    alice.send({ type: "status", availability: "busy" });
    await until(async () => "alice" in (await b.gateway.query({ status: ["busy"] })));
    const again = await b.gateway.connect("alice");
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
    // Also while Redis is full, and to ask how much memory it has.
    await ask("CONFIG", "SET", "maxmemory", "1mb");
    again.send({ type: "update", hasFocus: true });
    await until(async () => (await count(b, "redis_full")) === 1);
    // A node that joins waits for room. This much is enough to join, and too little for the bound of the log.
    await ask("CONFIG", "SET", "maxmemory", "100mb");
    const third = await start(withRights("c"));
    await until(() => third.gateway.log.join("").includes("too small for REDIS_LOG_BYTES"));
    await third.gateway.stop();
    await ask("CONFIG", "SET", "maxmemory", "0");
    await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
    expect(await count(b, "disconnections_total")).toBe(0);
    await a.gateway.stop();
    await until(async () => (await ask("HGET", register, "i:a")) === null);
    expect(await users(b)).toEqual(["alice"]);
    expect(b.gateway.log.join("")).not.toContain("NOPERM");
  });
});
