import { spawnSync } from "node:child_process";
import { RedisConnection } from "../../src/server/cluster/redis-connection.ts";
import { keysOf } from "../../src/server/cluster/redis-scripts.ts";
import { RedisServer } from "../../test/programs/redis-server.ts";

/** Resources that a Redis used so far, as it reports them. */
export interface RedisUsage {
  /** Commands of the nodes, without the commands that their scripts call. */
  readonly commands: number;
  /** Network traffic in both directions. */
  readonly bytes: number;
  readonly cpuMicros: number;
}

/** The commands that a connected node uses. */
const NODE_COMMANDS = ["evalsha", "xread", "hscan"];
const DEADLINE_MS = 10_000;

/** A redis-server for the benchmark alone. */
export class MeasuredRedis {
  readonly #server: RedisServer;
  readonly #connection: RedisConnection;

  private constructor(server: RedisServer, connection: RedisConnection) {
    this.#server = server;
    this.#connection = connection;
  }

  static async start(): Promise<MeasuredRedis> {
    const server = await RedisServer.start();
    return new MeasuredRedis(server, await RedisConnection.open(server.url));
  }

  get url(): string {
    return this.#server.url;
  }

  async usage(): Promise<RedisUsage> {
    const sections = ["stats", "cpu", "commandstats"];
    const info = String(await this.#connection.ask(["INFO", ...sections], DEADLINE_MS));
    const read = (name: string, before = "") =>
      Number(new RegExp(`^${name}:${before}([\\d.]+)`, "m").exec(info)?.[1] ?? 0);
    return {
      commands: sum(NODE_COMMANDS.map((name) => read(`cmdstat_${name}`, "calls="))),
      bytes: read("total_net_input_bytes") + read("total_net_output_bytes"),
      cpuMicros: (read("used_cpu_user") + read("used_cpu_sys")) * 1e6,
    };
  }

  /** What Redis has allocated. */
  async memoryBytes(): Promise<number> {
    const info = String(await this.#connection.ask(["INFO", "memory"], DEADLINE_MS));
    return Number(/^used_memory:(\d+)/m.exec(info)![1]);
  }

  /** Number of sessions that the nodes have written. */
  async sessions(): Promise<number> {
    return Number(await this.#connection.ask(["HLEN", keysOf(0).rows], DEADLINE_MS));
  }

  /** Memory of the session rows and of the log of changes. */
  async sizes(): Promise<{ readonly rowBytes: number; readonly logBytes: number }> {
    const { rows, log } = keysOf(0);
    const size = async (key: string) =>
      Number(await this.#connection.ask(["MEMORY", "USAGE", key, "SAMPLES", "0"], DEADLINE_MS));
    return { rowBytes: await size(rows), logBytes: await size(log) };
  }

  async stop(): Promise<void> {
    this.#connection.close();
    await this.#server.stop();
  }
}

/** Version of the installed redis-server; undefined if there is none. */
export function redisVersion(): string | undefined {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
