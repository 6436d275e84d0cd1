import { setTimeout as delay } from "node:timers/promises";
import type { ScenarioOptions } from "../measure/scenario.ts";
import { MeasuredRedis, redisVersion } from "./redis.ts";
import type { RunningServer, ServerKind } from "./server-kind.ts";

/** Time for pending changes to reach the other nodes. */
const SPREAD_MS = 200;

/** Resources that the nodes and their Redis used during a measurement. */
export interface NodesUsage {
  /** One value per node. */
  readonly cpuMicros: readonly number[];
  readonly redisCommands: number;
  readonly redisBytes: number;
  readonly redisCpuMicros: number;
  readonly ms: number;
}

/** Gateway nodes that share a Redis. */
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

  /** Starts another node. Resolves when it is ready. */
  async add(): Promise<RunningServer> {
    const server = await this.#kind.start({ REDIS_URL: this.redis.url });
    await ready(server.port);
    this.servers.push(server);
    return server;
  }

  /** Stops the node that was added last. */
  async remove(): Promise<void> {
    await this.servers.pop()?.stop();
  }

  /** Measures an action, including its effects on the other nodes. */
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

/**
 * The kind of the nodes; undefined without Redis. Adds a note with the version of Redis, or how to install
 * it.
 */
export function nodeKind({ kinds, addNote }: ScenarioOptions): ServerKind | undefined {
  const version = redisVersion();
  addNote(version ?? "Redis is missing: apt-get install redis-server");
  return version === undefined ? undefined : kinds.find(({ role }) => role === "gateway");
}

/** Resolves when a gateway reports that it is ready. A node first reads the sessions of the other nodes. */
export async function ready(port: number): Promise<void> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(10)) {
    const { ok } = await fetch(`http://127.0.0.1:${port}/readyz`);
    if (ok) return;
  }
  throw new Error("a gateway is not ready within 30 s");
}
