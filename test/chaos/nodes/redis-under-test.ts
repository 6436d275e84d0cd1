import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { RedisServer } from "../../programs/redis-server.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { Sentinels } from "./sentinels.ts";

const DATA = "dump.rdb";

/**
 * The Redis of a cluster. Gateways get one constant address. In production a name, a virtual address or a
 * proxy moves that address to the new master. Here a proxy does so.
 */
export class RedisUnderTest {
  readonly address: TcpProxy;
  #server: RedisServer;
  #folder: string;

  private constructor(server: RedisServer, folder: string, address: TcpProxy) {
    this.#server = server;
    this.#folder = folder;
    this.address = address;
  }

  static async start(): Promise<RedisUnderTest> {
    const folder = await newFolder();
    const server = await RedisServer.start(dataIn(folder));
    return new RedisUnderTest(server, folder, await TcpProxy.start(server.port));
  }

  async ask(...args: string[]): Promise<unknown> {
    return await askServer(this.#server, ...args);
  }

  async freeze(ms: number): Promise<void> {
    this.#server.freeze();
    await delay(ms);
    this.#server.thaw();
  }

  /** It is killed and returns: empty, or with data saved some time before. */
  async restart(savedBeforeMs: number | undefined): Promise<void> {
    if (savedBeforeMs !== undefined) {
      await this.ask("SAVE");
      await delay(savedBeforeMs);
    }
    await this.#server.stop();
    if (savedBeforeMs === undefined) await rm(join(this.#folder, DATA), { force: true });
    await this.#server.startAgain();
  }

  /**
   * Sentinels promote a replica, because the master is killed or does not reply. The replica lacks the last
   * `behindMs`.
   */
  async failOver(how: "killed" | "frozen", behindMs: number): Promise<void> {
    const [old, oldFolder] = [this.#server, this.#folder];
    const folder = await newFolder();
    const replica = await RedisServer.start(dataIn(folder));
    let sentinels: Sentinels | undefined;
    try {
      await askServer(replica, "REPLICAOF", "127.0.0.1", String(old.port));
      await until(async () =>
        String(await askServer(replica, "INFO", "replication")).includes("master_link_status:up"),
      );
      sentinels = await Sentinels.start(old.port);
      if (behindMs > 0) {
        // Moved to an unused address: it keeps its data and receives no more.
        await askServer(replica, "REPLICAOF", "127.0.0.1", "1");
        await delay(behindMs);
      }
      if (how === "killed") await old.stop();
      else old.freeze();
      this.address.retarget(await sentinels.promoted(old.port));
      this.address.cut();
      this.#server = replica;
      this.#folder = folder;
    } catch (error) {
      await replica.stop();
      throw error;
    } finally {
      await sentinels?.stop();
      if (this.#server === replica) await old.stop();
      await rm(this.#server === replica ? oldFolder : folder, { recursive: true, force: true });
    }
  }

  async dispose(): Promise<void> {
    await this.address.stop();
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "presence-redis-"));
}

function dataIn(folder: string): string[] {
  return ["--dir", folder, "--dbfilename", DATA];
}

async function askServer(server: RedisServer, ...args: string[]): Promise<unknown> {
  const connection = await RedisConnection.open(server.url);
  try {
    return await connection.ask(args, 2_000);
  } finally {
    connection.close();
  }
}
