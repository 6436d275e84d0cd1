import type { AppendReply, CommandOf, Entry, JoinReply, Log, LogStatus, OpKind, ScanBatch } from "./log.ts";
import { RedisConnection } from "./redis-connection.ts";
import { parseEntry, parseRegister, parseRows } from "./redis-entry.ts";
import { findMaster } from "./redis-master.ts";
import { keysOf, type LogKeys, SCRIPTS, type Script } from "./redis-scripts.ts";

/** A command without a reply after this time counts as lost. */
const DEADLINE_MS = 2_000;
/** How long a read waits for an entry, and how much longer its reply may take. */
const BLOCK_MS = 1_000;
const BLOCK_GRACE_MS = 1_000;
/**
 * Bounds of a reply, which takes memory in Redis until it is sent: entries or rows, and about how much text.
 */
const MAX_ENTRIES_A_READ = 64;
const MAX_ROWS_A_SCAN = 1_000;
const REPLY_CHARS = 2 * 1024 * 1024;

/** Begins the cursor of a scan that has come to the profiles. */
const OF_PROFILES = "profiles ";

/** The word of each operation in the scripts. */
const WIRE_KINDS = {
  open: "open",
  patch: "patch",
  takeover: "claim",
  end: "end",
  forceEnd: "kick",
  profile: "profile",
} as const satisfies Record<OpKind, string>;

export interface RedisLogOptions {
  /** One Redis, or some nodes of one Redis Cluster. */
  readonly urls: readonly string[];
  readonly shard: number;
  /** About how many entries the log keeps at most. */
  readonly maxLogLength: number;
  /** How much memory of Redis the log takes at most. */
  readonly maxLogBytes?: number | undefined;
  /** How many profiles it keeps. */
  readonly maxProfiles: number;
  /**
   * How long Redis may take to reply to a command, in milliseconds: 2000, unless a test needs no deadline.
   */
  readonly deadlineMs?: number | undefined;
}

/** More than `maxLogLength` entries with small sessions take. */
export const DEFAULT_LOG_BYTES = 64 * 1024 * 1024;

/**
 * A log in Redis, for as long as its two connections work. Reads wait on one of them, while commands go over
 * the other.
 */
export class RedisLog implements Log {
  readonly ended: Promise<never>;
  /** The address of the Redis that has its keys. */
  readonly url: string;
  readonly #commands: RedisConnection;
  readonly #reads: RedisConnection;
  readonly #keys: LogKeys;
  readonly #maxLength: string;
  readonly #maxBytes: string;
  readonly #maxProfiles: string;
  readonly #deadlineMs: number;
  /** How much to ask for. It is learned from the replies, as sizes differ a thousandfold. */
  #entriesARead = new ReplySize(MAX_ENTRIES_A_READ);
  #rowsAScan = new ReplySize(MAX_ROWS_A_SCAN);

  private constructor(
    url: string,
    commands: RedisConnection,
    reads: RedisConnection,
    options: RedisLogOptions,
  ) {
    this.url = url;
    this.#commands = commands;
    this.#reads = reads;
    this.#keys = keysOf(options.shard);
    this.#maxLength = String(options.maxLogLength);
    this.#maxBytes = String(options.maxLogBytes ?? DEFAULT_LOG_BYTES);
    this.#maxProfiles = String(options.maxProfiles);
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.ended = Promise.race([commands.ended, reads.ended]);
    this.ended.catch(() => this.close());
  }

  static async connect(options: RedisLogOptions): Promise<RedisLog> {
    const { url, connection: commands } = await findMaster(options.urls, keysOf(options.shard).nodes);
    try {
      const log = new RedisLog(url, commands, await RedisConnection.open(url), options);
      // Once for each connection, so that no command finds its script missing and the next one does not.
      await Promise.all(
        Object.values(SCRIPTS).map(({ text }) => commands.ask(["SCRIPT", "LOAD", text], DEADLINE_MS)),
      );
      return log;
    } catch (error) {
      commands.close();
      throw error;
    }
  }

  async readStatus({ at }: CommandOf<"readStatus">): Promise<LogStatus> {
    const [count, id, held, nodes] = asArray(await this.#run(SCRIPTS.status, at ?? "0-0"));
    return {
      end: { count: Number(count), id: String(id) },
      found: held === null ? undefined : parseEntry(String(at), held),
      register: parseRegister(nodes),
    };
  }

  async scan({ from }: CommandOf<"scan">): Promise<ScanBatch> {
    // First the rows, then the profiles.
    const isOfProfiles = from.startsWith(OF_PROFILES);
    const key = isOfProfiles ? this.#keys.profiles : this.#keys.rows;
    const cursor = isOfProfiles ? from.slice(OF_PROFILES.length) : from;
    const args = ["HSCAN", key, cursor, "COUNT", String(this.#rowsAScan.count)];
    const [next, fields] = asArray(await this.#commands.ask(args, this.#deadlineMs));
    this.#rowsAScan.learn(asArray(fields).length / 2, charsIn(fields));
    const rows = parseRows(fields);
    if (next !== "0") return { next: isOfProfiles ? `${OF_PROFILES}${next}` : String(next), rows };
    return { next: isOfProfiles ? undefined : `${OF_PROFILES}0`, rows };
  }

  async join({ writer, leaseMs, nodeId, formerly }: CommandOf<"join">): Promise<JoinReply> {
    const reply = await this.#run(SCRIPTS.join, writer, String(leaseMs), nodeId, ...formerly);
    return Array.isArray(reply)
      ? { ok: true, logId: String(reply[0]) }
      : { ok: false, holder: String(reply) };
  }

  async append({ writer, seq, ops }: CommandOf<"append">): Promise<AppendReply> {
    const args = [writer, String(seq), this.#maxProfiles];
    for (const { kind, sessionId, text } of ops) args.push(WIRE_KINDS[kind], sessionId, text);
    const [count, last, full] = asArray(await this.#run(SCRIPTS.append, ...args));
    if (last === -2) return { count: Number(count), seq: undefined, isForgotten: true };
    const appended = { count: Number(count), seq: last === -1 ? undefined : Number(last) };
    return full === 1 ? { ...appended, isFull: true } : appended;
  }

  async evict({ writer, seq = -1 }: CommandOf<"evict">): Promise<boolean> {
    return (await this.#run(SCRIPTS.evict, writer, String(seq))) === 1;
  }

  async forget({ writer }: CommandOf<"forget">): Promise<void> {
    await this.#run(SCRIPTS.forget, writer);
  }

  async read(after: string): Promise<Entry[]> {
    const { log } = this.#keys;
    const entries = String(this.#entriesARead.count);
    const args = ["XREAD", "COUNT", entries, "BLOCK", String(BLOCK_MS), "STREAMS", log, after];
    const reply = await this.#reads.ask(args, BLOCK_MS + BLOCK_GRACE_MS);
    if (reply === null) return [];
    const [stream] = asArray(reply);
    let chars = 0;
    const read = asArray(asArray(stream)[1]).map((entry) => {
      const [id, fields] = asArray(entry);
      chars += charsIn(fields);
      return parseEntry(String(id), fields);
    });
    this.#entriesARead.learn(read.length, chars);
    return read;
  }

  close(): void {
    this.#commands.close();
    this.#reads.close();
  }

  #run({ sha }: Script, ...args: string[]): Promise<unknown> {
    const { log, rows, nodes, profiles, kept } = this.#keys;
    const keys = [log, rows, nodes, profiles, kept];
    const command = ["EVALSHA", sha, String(keys.length), ...keys, this.#maxLength, this.#maxBytes, ...args];
    return this.#commands.ask(command, this.#deadlineMs);
  }
}

/** How many things to ask for at once, so that a reply is not much larger than `REPLY_CHARS`. */
class ReplySize {
  readonly #max: number;
  #count: number;

  constructor(max: number) {
    this.#max = max;
    this.#count = Math.ceil(max / 8);
  }

  get count(): number {
    return this.#count;
  }

  learn(things: number, chars: number): void {
    if (things === 0) return;
    const fitting = Math.max(1, Math.floor((REPLY_CHARS * things) / Math.max(1, chars)));
    this.#count = Math.min(this.#max, 2 * this.#count, fitting);
  }
}

function charsIn(fields: unknown): number {
  let chars = 0;
  for (const field of asArray(fields)) if (typeof field === "string") chars += field.length;
  return chars;
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
