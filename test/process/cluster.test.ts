import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, type TestContext } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { RedisConnection } from "../../src/server/cluster/redis-connection.ts";
import { keysOf } from "../../src/server/cluster/redis-scripts.ts";
import { RedisServer, whyNoRedis } from "../programs/redis-server.ts";
import { TestClient } from "../support/client.ts";
import { GatewayProcess } from "../support/process.ts";
import { unless } from "../support/unless.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const APP = "app";
const SECRET = "a secret of the cluster tests, long enough";
const LEASE_MS = 3_000;
/** Long enough for a client to reconnect in time on a busy machine. */
const WINDOW_MS = 8_000;

/** One Redis and the processes that share it, for one test. */
class Nodes {
  readonly #redis: RedisServer;
  readonly #processes: GatewayProcess[] = [];
  readonly #clients: TestClient[] = [];

  private constructor(redis: RedisServer) {
    this.#redis = redis;
  }

  /** All processes end with the test. */
  static async of({ onTestFinished }: TestContext): Promise<Nodes> {
    const nodes = new Nodes(await RedisServer.start());
    onTestFinished(() => nodes.#stop());
    return nodes;
  }

  async #stop(): Promise<void> {
    for (const client of this.#clients) client.terminate();
    await Promise.all(this.#processes.map((each) => each.stop("SIGKILL")));
    await this.#redis.stop();
  }

  get url(): string {
    return this.#redis.url;
  }

  run(env: Record<string, string> = {}): GatewayProcess {
    const gateway = new GatewayProcess({
      APPS: JSON.stringify([{ id: APP, secrets: [SECRET] }]),
      HOST: "127.0.0.1",
      REDIS_URL: this.url,
      NODE_LEASE_MS: String(LEASE_MS),
      RESUME_WINDOW_MS: String(WINDOW_MS),
      DRAIN_MS: "300",
      // So long that typing does not end because a test is slow.
      TYPING_TIMEOUT_MS: "3600000",
      ...env,
    });
    this.#processes.push(gateway);
    return gateway;
  }

  async start(env: Record<string, string> = {}): Promise<{ process: GatewayProcess; port: number }> {
    const process = this.run(env);
    const port = await process.port();
    await until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200);
    return { process, port };
  }

  async connect(port: number, userId?: string): Promise<TestClient> {
    const client = await TestClient.open(`ws://127.0.0.1:${port}/v1/${APP}/realtime`);
    this.#clients.push(client);
    const claims =
      userId === undefined ? ({ tokenType: "app" } as const) : ({ tokenType: "user", sub: userId } as const);
    client.send({ type: "connect", token: await mintToken(APP, SECRET, claims) });
    await client.next("connected");
    return client;
  }
}

// The tests run at once, because each has its own Redis and mostly waits for leases and windows.
unless(whyNoRedis(), describe)("processes that share a Redis", { concurrent: true }, () => {
  it("need different ids: a second node with the same id ends with an error line", async (context) => {
    const nodes = await Nodes.of(context);
    await nodes.start({ NODE_ID: "node-1" });
    const second = nodes.run({ NODE_ID: "node-1" });
    expect(await second.exited).toBe(1);
    expect(second.errors).toBe('presence-gateway: NODE_ID "node-1" is taken by another node\n');
    expect(second.output).not.toContain("joined the cluster");
  });

  it("may use the id of a dead node when its lease is over", async (context) => {
    const nodes = await Nodes.of(context);
    const first = await nodes.start({ NODE_ID: "node-1" });
    const client = await nodes.connect(first.port, "alice");
    const sessionId = await client.open({});
    const raw = await RedisConnection.open(nodes.url);
    await until(async () => (await raw.ask(["HLEN", keysOf(0).rows], PATIENCE_MS)) === 1);
    raw.close();
    await first.process.stop("SIGKILL");
    const second = await nodes.start({ NODE_ID: "node-1" });
    // Redis kept the sessions, and their clients come back.
    const again = await nodes.connect(second.port, "alice");
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
  });

  it("lose a node by kill -9: users who come back never leave, and the others leave once", async (context) => {
    const nodes = await Nodes.of(context);
    const [a, b] = [await nodes.start(), await nodes.start()];
    const watcher = await nodes.connect(b.port);
    const { view } = await watcher.subscribe({});
    const held: { userId: string; sessionId: string }[] = [];
    const source = await nodes.connect(a.port);
    for (let i = 0; i < 50; i++) {
      const userId = `user-${i}`;
      held.push({ userId, sessionId: await source.open({ userId }) });
    }
    const seen = () => Object.keys(watcher.views.get(view)!.data).length;
    await until(() => seen() === 50);
    watcher.inbox.length = 0;
    await a.process.stop("SIGKILL");
    const killedAt = performance.now();
    const half = await nodes.connect(b.port);
    for (const { userId, sessionId } of held.slice(0, 25)) {
      const answer = await half.ask({ type: "open", kind: "widget", userId, sessionId });
      expect(answer).toMatchObject({ sessionId, resumed: true });
    }
    await until(() => seen() === 25);
    const ms = performance.now() - killedAt;
    expect(ms).toBeGreaterThan(WINDOW_MS);
    process.stdout.write(
      `kill -9: the last left after ${Math.round(ms)} ms, lease and window are ${LEASE_MS + WINDOW_MS}\n`,
    );
    const left = watcher.inbox.flatMap(({ data, causes }) => {
      expect(Object.values(data).every((value) => value === null)).toBe(true);
      expect(new Set(Object.values(causes))).toEqual(new Set(["node-lost"]));
      return Object.keys(data);
    });
    expect(left.sort()).toEqual(
      held
        .slice(25)
        .map(({ userId }) => userId)
        .sort(),
    );
  });

  it("stop and continue: no user leaves before the lease is over, and all are back afterwards", async (context) => {
    const nodes = await Nodes.of(context);
    const [a, b] = [await nodes.start(), await nodes.start()];
    const watcher = await nodes.connect(b.port);
    await watcher.subscribe({});
    const alice = await nodes.connect(a.port, "alice");
    await alice.open({});
    await watcher.next("diff");
    process.kill(a.process.child.pid!, "SIGSTOP");
    await delay(LEASE_MS / 3);
    process.kill(a.process.child.pid!, "SIGCONT");
    await delay(WINDOW_MS + LEASE_MS);
    expect(watcher.inbox).toEqual([]);
    process.kill(a.process.child.pid!, "SIGSTOP");
    const left = await watcher.next("diff");
    expect(left.causes).toEqual({ alice: "node-lost" });
    process.kill(a.process.child.pid!, "SIGCONT");
    expect(Object.keys((await watcher.next("diff")).data)).toEqual(["alice"]);
    await alice.settled();
    expect(alice.inbox).toEqual([]);
  });

  it("hand their sessions over on SIGTERM, and end with 0", async (context) => {
    const nodes = await Nodes.of(context);
    const [a, b] = [await nodes.start(), await nodes.start()];
    const watcher = await nodes.connect(b.port);
    await watcher.subscribe({});
    const alice = await nodes.connect(a.port, "alice");
    const sessionId = await alice.open({ isTyping: true });
    await watcher.next("diff");
    const ended = a.process.stop("SIGTERM");
    await alice.closed;
    const again = await nodes.connect(b.port, "alice");
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
    expect(await ended).toBe(0);
    await delay(WINDOW_MS + 1_000);
    expect(watcher.inbox).toEqual([]);
  });
});
