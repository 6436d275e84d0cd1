import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RedisConnection } from "../../src/server/cluster/redis-connection.ts";
import { ownPort } from "../programs/own-port.ts";
import { RedisServer } from "../programs/redis-server.ts";
import { PATIENCE_MS, until } from "./until.ts";

const SLOTS = 16_384;
/** A master that does not reply for this long has failed. */
const NODE_TIMEOUT_MS = 1_000;

/** A node of a Redis Cluster and its id. */
export interface RedisClusterNode {
  readonly server: RedisServer;
  readonly id: string;
}

/**
 * A Redis Cluster for one test. Its slots are spread evenly over the masters. The first masters have replicas
 * that take over for them.
 */
export class RedisCluster {
  readonly masters: readonly RedisClusterNode[];
  readonly replicas: readonly RedisClusterNode[];
  readonly #folder: string;

  private constructor(nodes: readonly RedisClusterNode[], masters: number, folder: string) {
    this.masters = nodes.slice(0, masters);
    this.replicas = nodes.slice(masters);
    this.#folder = folder;
  }

  /** @param user Another user with access, as in the `user` directive of the configuration. */
  static async start(masters: number, replicas: number, user: string): Promise<RedisCluster> {
    const folder = mkdtempSync(join(tmpdir(), "presence-redis-"));
    const busPorts: number[] = [];
    const nodes = await Promise.all(
      Array.from({ length: masters + replicas }, async (_, i) => {
        // The default port of the bus is 10000 above the other one, so it may not exist.
        const busPort = await ownPort();
        busPorts[i] = busPort;
        const args = ["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--dir", folder];
        args.push("--cluster-require-full-coverage", "no");
        args.push("--cluster-config-file", `${i}.conf`, "--cluster-node-timeout", String(NODE_TIMEOUT_MS));
        args.push("--user", ...user.split(" "));
        const server = await RedisServer.start([...args, "--repl-diskless-sync-delay", "0"]);
        return { server, id: String(await tell(server, "CLUSTER", "MYID")) };
      }),
    );
    const cluster = new RedisCluster(nodes, masters, folder);
    const bound = (i: number) => Math.round((i * SLOTS) / masters);
    for (const [i, { server }] of nodes.entries()) {
      await tell(server, "CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
      if (i < masters)
        await tell(server, "CLUSTER", "ADDSLOTSRANGE", String(bound(i)), String(bound(i + 1) - 1));
      // Every node meets every other node, because gossip takes seconds.
      for (const [j, { server: other }] of nodes.slice(0, i).entries())
        await tell(server, "CLUSTER", "MEET", "127.0.0.1", String(other.port), String(busPorts[j]));
    }
    const whole = ["cluster_state:ok", `cluster_slots_ok:${SLOTS}`, `cluster_known_nodes:${nodes.length}\r`];
    for (const { server } of nodes) await says(server, ["CLUSTER", "INFO"], whole);
    for (const { server } of cluster.replicas) {
      await tell(server, "CLUSTER", "REPLICATE", cluster.masters[0]!.id);
      await cluster.follows(server);
    }
    return cluster;
  }

  /** Resolves when a replica has the data of its master. */
  async follows(replica: RedisServer): Promise<void> {
    await says(replica, ["INFO", "replication"], ["role:slave", "link_status:up"]);
  }

  get url(): string {
    return this.masters.map(({ server }) => server.url).join(",");
  }

  /** The master that holds a key. */
  async masterOf(key: string): Promise<RedisClusterNode> {
    for (const node of [...this.masters, ...this.replicas]) {
      // The other nodes name the one that holds it.
      const answer = await tell(node.server, "EXISTS", key).catch(() => undefined);
      if (answer !== undefined) return node;
    }
    throw new Error(`nobody has ${key}`);
  }

  /** Moves the slot of a key, as resharding does. Resolves with the number of its keys. */
  async move(key: string, from: RedisClusterNode, to: RedisClusterNode): Promise<number> {
    const slot = String(await tell(from.server, "CLUSTER", "KEYSLOT", key));
    await tell(to.server, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await tell(from.server, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    const keys = (await tell(from.server, "CLUSTER", "GETKEYSINSLOT", slot, "100")) as string[];
    // One after the other, so that for a moment both nodes hold some of the keys.
    for (const each of keys)
      await tell(from.server, "MIGRATE", "127.0.0.1", String(to.server.port), each, "0", "5000");
    for (const { server } of [to, from]) await tell(server, "CLUSTER", "SETSLOT", slot, "NODE", to.id);
    return keys.length;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.masters, ...this.replicas].map(({ server }) => server.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Sends a command to a Redis over a separate connection that no gateway knows of. */
export async function tell(server: RedisServer, ...args: string[]): Promise<unknown> {
  const connection = await RedisConnection.open(server.url);
  try {
    return await connection.ask(args, PATIENCE_MS);
  } finally {
    connection.close();
  }
}

/** Waits until the reply to a command contains all these lines. */
async function says(server: RedisServer, command: string[], lines: readonly string[]): Promise<void> {
  const connection = await RedisConnection.open(server.url);
  try {
    await until(async () => {
      await delay(20);
      const answer = String(await connection.ask(command, PATIENCE_MS));
      return lines.every((line) => answer.includes(line));
    });
  } finally {
    connection.close();
  }
}
