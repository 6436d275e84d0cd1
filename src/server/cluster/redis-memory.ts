import { RedisConnection } from "./redis-connection.ts";

const DEADLINE_MS = 2_000;
/**
 * The log, and as much again for the rows, for what waits in Redis to be read or sent, and for Redis itself.
 */
const SHARE = 2;

/**
 * Warns, once per Redis and shard, of a Redis that has less memory than the logs take, or that may delete
 * data.
 */
export class RedisMemoryCheck {
  readonly #logBytes: number;
  readonly #warn: (details: object, message: string) => void;
  /** The shards of each Redis. */
  readonly #shards = new Map<string, Set<number>>();

  constructor(logBytes: number, warn: (details: object, message: string) => void) {
    this.#logBytes = logBytes;
    this.#warn = warn;
  }

  /**
   * Checks the Redis that has the log of a shard. Without the right to ask for its memory, nothing is logged.
   */
  check(url: string, shard: number): void {
    const shards = this.#shards.get(url) ?? new Set();
    if (shards.has(shard)) return;
    this.#shards.set(url, shards.add(shard));
    readMemory(url).then(
      (memory) => this.#warnIfUnfit(memory, shard, shards.size),
      () => {},
    );
  }

  #warnIfUnfit({ maxBytes, policy }: RedisMemory, shard: number, shards: number): void {
    if (!(maxBytes > 0)) return;
    const needed = SHARE * this.#logBytes * shards;
    if (maxBytes < needed) {
      this.#warn(
        { shard, maxmemory: maxBytes, needed },
        "maxmemory of this Redis is too small for REDIS_LOG_BYTES: raise maxmemory or lower REDIS_LOG_BYTES",
      );
    }
    if (policy !== "noeviction") {
      this.#warn(
        { shard, policy },
        "maxmemory-policy of this Redis is not noeviction: Redis may delete sessions",
      );
    }
  }
}

interface RedisMemory {
  readonly maxBytes: number;
  readonly policy: string | undefined;
}

/** Uses a connection of its own, as a refusal ends the connection. */
async function readMemory(url: string): Promise<RedisMemory> {
  const connection = await RedisConnection.open(url);
  try {
    const text = String(await connection.ask(["INFO", "memory"], DEADLINE_MS));
    return {
      maxBytes: Number(/^maxmemory:(\d+)/m.exec(text)?.[1]),
      policy: /^maxmemory_policy:(\S+)/m.exec(text)?.[1],
    };
  } finally {
    connection.close();
  }
}
