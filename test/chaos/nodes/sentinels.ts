import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { ownPort } from "../../programs/own-port.ts";
import { until } from "../../support/until.ts";

const COUNT = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 1_000;
const NAME = "presence";

/** Three sentinels that watch a Redis and promote one of its replicas when it fails. */
export class Sentinels {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  readonly #ports: number[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when they know each other and the replica of the master. */
  static async start(masterPort: number): Promise<Sentinels> {
    const sentinels = new Sentinels(await mkdtemp(join(tmpdir(), "presence-sentinels-")));
    try {
      for (let i = 0; i < COUNT; i++) await sentinels.#spawn(masterPort);
      await until(async () => {
        for (const port of sentinels.#ports) if (!(await knowsAll(port))) return false;
        return true;
      }, 30_000);
      return sentinels;
    } catch (error) {
      await sentinels.stop();
      throw error;
    }
  }

  /** The port of the master, once it differs from this one. */
  async promoted(oldPort: number): Promise<number> {
    let port = oldPort;
    await until(async () => {
      port = Number(((await ask(this.#ports[0]!, "GET-MASTER-ADDR-BY-NAME", NAME)) as string[])[1]);
      return port !== oldPort;
    }, 30_000);
    return port;
  }

  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #spawn(masterPort: number): Promise<void> {
    const port = await ownPort();
    const file = join(this.#folder, `${port}.conf`);
    // Sentinels store their state in their configuration.
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${this.#folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} ${QUORUM}`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${NAME} 10000`,
    ];
    await writeFile(file, `${lines.join("\n")}\n`);
    this.#ports.push(port);
    const child = spawn("redis-server", [file, "--sentinel"], { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    await watching(child);
  }
}

/**
 * Resolves when a sentinel reports that it watches the master. Rejects with its output if it exits before.
 */
function watching(child: ChildProcess): Promise<void> {
  let output = "";
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding("utf8").on("data", (data: string) => {
        if (output.includes("+monitor")) return;
        output += data;
        if (output.includes("+monitor")) resolve();
      });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`a sentinel did not start:\n${output}`)));
  });
}

async function knowsAll(port: number): Promise<boolean> {
  const fields = (await ask(port, "MASTER", NAME).catch(() => [])) as string[];
  const count = (name: string) => Number(fields[fields.indexOf(name) + 1]);
  return count("num-other-sentinels") === COUNT - 1 && count("num-slaves") === 1;
}

async function ask(port: number, ...args: string[]): Promise<unknown> {
  const connection = await RedisConnection.open(`redis://127.0.0.1:${port}`);
  try {
    return await connection.ask(["SENTINEL", ...args], 1_000);
  } finally {
    connection.close();
  }
}
