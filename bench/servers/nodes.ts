import { setTimeout as delay } from "node:timers/promises";
import type { ScenarioOptions } from "../measure/scenario.ts";
import { MeasuredRedis, redisVersion } from "./redis.ts";
import type { RunningServer, ServerKind } from "./server-kind.ts";

/** What is on its way to the other nodes gets there. */
const SPREAD_MS = 200;

/** What nodes and their Redis have used between two moments. */
export interface NodesUsage {
  /** Of each node. */
  readonly cpuMicros: readonly number[];
  readonly redisCommands: number;
  readonly redisBytes: number;
  readonly redisCpuMicros: number;
  readonly ms: number;
}

/** Gateways that share a Redis. */
export class Nodes {
  readonly redis: MeasuredRedis;
  readonly servers: RunningServer[] = [];
  readonly #kind: ServerKind;

  private constructor(kind: ServerKind, redis: MeasuredRedis) {
    this.#kind = kind;
    this.redis = redis;
  }

  static async start(kind: ServerKind, count: number): Promise<Nodes> {
    const nodes = new Nodes(kind, await MeasuredRedis.start());
    await Promise.all(Array.from({ length: count }, () => nodes.add()));
    return nodes;
  }

  /** One more, which is ready. */
  async add(): Promise<RunningServer> {
    const server = await this.#kind.start({ REDIS_URL: this.redis.url });
    await ready(server.port);
    this.servers.push(server);
    return server;
  }

  /** The one that was added last goes. */
  async remove(): Promise<void> {
    await this.servers.pop()?.stop();
  }

  /** What it takes until all nodes have done something. */
  async measure(act: () => Promise<unknown>): Promise<NodesUsage> {
    const before = await this.#usages();
    const startedAt = performance.now();
    await act();
    const ms = performance.now() - startedAt;
    await delay(SPREAD_MS);
    const after = await this.#usages();
    return {
      cpuMicros: after.servers.map(({ cpuMicros }, i) => cpuMicros - before.servers[i]!.cpuMicros),
      redisCommands: after.redis.commands - before.redis.commands,
      redisBytes: after.redis.bytes - before.redis.bytes,
      redisCpuMicros: after.redis.cpuMicros - before.redis.cpuMicros,
      ms,
    };
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.stop();
    await this.redis.stop();
  }

  async #usages() {
    const servers = await Promise.all(this.servers.map((server) => server.usage()));
    return { servers, redis: await this.redis.usage() };
  }
}

/** The gateway that nodes are of here; says which Redis they share, or how to get one. */
export function nodeKind({ kinds, note }: ScenarioOptions): ServerKind | undefined {
  const version = redisVersion();
  note(version ?? "Redis is missing: apt-get install redis-server");
  return version === undefined ? undefined : kinds.find(({ role }) => role === "gateway");
}

/** Resolves when a gateway says that it is ready: a node has to read first what the others have. */
export async function ready(port: number): Promise<void> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(10)) {
    const { ok } = await fetch(`http://127.0.0.1:${port}/readyz`);
    if (ok) return;
  }
  throw new Error("a gateway is not ready within 30 s");
}
