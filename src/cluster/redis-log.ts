import type { Appended, Asked, Entry, Joined, Look, Page } from "./log.ts";
import { RedisConnection } from "./redis-connection.ts";
import { parseEntry, parseRegister, parseRows } from "./redis-entry.ts";
import { findMaster } from "./redis-master.ts";
import { keysOf, type LogKeys, SCRIPTS, type Script } from "./redis-scripts.ts";

/** A command that is not answered by then is as good as lost. */
const DEADLINE_MS = 2_000;
/** How long a read waits for an entry, and how long after that until nobody believes in it any more. */
const BLOCK_MS = 1_000;
const BLOCK_GRACE_MS = 1_000;
const ENTRIES_A_READ = 64;
const ROWS_A_PAGE = 1_000;

export interface RedisLogOptions {
  /** One Redis, or some nodes of one Redis Cluster. */
  readonly urls: readonly string[];
  readonly shard: number;
  /** About how many entries the log has at most. */
  readonly keep: number;
}

/** A log in Redis, for as long as the two connections to it work: a read waits on one of them while commands go over the other. */
export class RedisLog {
  readonly ended: Promise<never>;
  readonly #commands: RedisConnection;
  readonly #reads: RedisConnection;
  readonly #keys: LogKeys;
  readonly #keep: string;

  private constructor(commands: RedisConnection, reads: RedisConnection, options: RedisLogOptions) {
    this.#commands = commands;
    this.#reads = reads;
    this.#keys = keysOf(options.shard);
    this.#keep = String(options.keep);
    this.ended = Promise.race([commands.ended, reads.ended]);
    this.ended.catch(() => this.close());
  }

  static async connect(options: RedisLogOptions): Promise<RedisLog> {
    const { url, connection: commands } = await findMaster(options.urls, keysOf(options.shard).nodes);
    try {
      const log = new RedisLog(commands, await RedisConnection.open(url), options);
      // Once for each connection, so that no command finds its script missing while the next one does not.
      await Promise.all(
        Object.values(SCRIPTS).map(({ text }) => commands.ask(["SCRIPT", "LOAD", text], DEADLINE_MS)),
      );
      return log;
    } catch (error) {
      commands.close();
      throw error;
    }
  }

  async look({ at }: Asked<"look">): Promise<Look> {
    const [count, id, held, nodes] = asArray(await this.#run(SCRIPTS.look, at ?? "0-0"));
    return {
      end: { count: Number(count), id: String(id) },
      found: held === null ? undefined : parseEntry(String(at), held),
      register: parseRegister(nodes),
    };
  }

  async scan({ from }: Asked<"scan">): Promise<Page> {
    const args = ["HSCAN", this.#keys.rows, from, "COUNT", String(ROWS_A_PAGE)];
    const [next, fields] = asArray(await this.#commands.ask(args, DEADLINE_MS));
    return { next: next === "0" ? undefined : String(next), rows: parseRows(fields) };
  }

  async join({ writer, leaseMs, nodeId, formerly }: Asked<"join">): Promise<Joined> {
    const holder = await this.#run(SCRIPTS.join, writer, String(leaseMs), nodeId, ...formerly);
    return holder === "" ? { ok: true } : { ok: false, holder: String(holder) };
  }

  async append({ writer, seq, ops }: Asked<"append">): Promise<Appended> {
    const args = [writer, String(seq)];
    for (const { kind, sessionId, text } of ops) args.push(kind, sessionId, text);
    const [count, last] = asArray(await this.#run(SCRIPTS.append, ...args));
    return { count: Number(count), seq: last === -1 ? undefined : Number(last) };
  }

  async bury({ writer, seq = -1 }: Asked<"bury">): Promise<boolean> {
    return (await this.#run(SCRIPTS.bury, writer, String(seq))) === 1;
  }

  async forget({ writer }: Asked<"forget">): Promise<void> {
    await this.#run(SCRIPTS.forget, writer);
  }

  /** The entries after one; waits a while if there are none. */
  async read(after: string): Promise<Entry[]> {
    const { log } = this.#keys;
    const args = ["XREAD", "COUNT", String(ENTRIES_A_READ), "BLOCK", String(BLOCK_MS), "STREAMS", log, after];
    const reply = await this.#reads.ask(args, BLOCK_MS + BLOCK_GRACE_MS);
    if (reply === null) return [];
    const [stream] = asArray(reply);
    return asArray(asArray(stream)[1]).map((entry) => {
      const [id, fields] = asArray(entry);
      return parseEntry(String(id), fields);
    });
  }

  close(): void {
    this.#commands.close();
    this.#reads.close();
  }

  #run({ sha }: Script, ...args: string[]): Promise<unknown> {
    const { log, rows, nodes } = this.#keys;
    return this.#commands.ask(["EVALSHA", sha, "3", log, rows, nodes, this.#keep, ...args], DEADLINE_MS);
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
