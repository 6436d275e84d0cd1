import { RedisConnection } from "./redis-connection.ts";

const DEADLINE_MS = 2_000;
/** The log, and as much again for the rows, for what waits in Redis to be read and sent, and for what it needs itself. */
const SHARE = 2;

/** Warns, once for each Redis and shard, of a Redis that has less memory than the logs take, or throws away what is in it. */
export class RedisMemoryCheck {
  readonly #logBytes: number;
  readonly #warn: (details: object, message: string) => void;
  /** By Redis, the shards that are in it. */
  readonly #shards = new Map<string, Set<number>>();

  constructor(logBytes: number, warn: (details: object, message: string) => void) {
    this.#logBytes = logBytes;
    this.#warn = warn;
  }

  /** The log of a shard is there. Whoever may not ask how much memory there is says nothing. */
  check(url: string, shard: number): void {
    const shards = this.#shards.get(url) ?? new Set();
    if (shards.has(shard)) return;
    this.#shards.set(url, shards.add(shard));
    readMemory(url).then(
      (memory) => this.#judge(memory, shard, shards.size),
      () => {},
    );
  }

  #judge({ maxBytes, policy }: RedisMemory, shard: number, shards: number): void {
    if (!(maxBytes > 0)) return;
    const needed = SHARE * this.#logBytes * shards;
    if (maxBytes < needed) {
      this.#warn(
        { shard, maxmemory: maxBytes, needed },
        "maxmemory of this Redis is too small for REDIS_LOG_BYTES: raise the one or lower the other",
      );
    }
    if (policy !== "noeviction") {
      this.#warn(
        { shard, policy },
        "maxmemory-policy of this Redis is to be noeviction: it may throw away the sessions",
      );
    }
  }
}

interface RedisMemory {
  readonly maxBytes: number;
  readonly policy: string | undefined;
}

/** Over a connection of its own, as a refusal ends it. */
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
