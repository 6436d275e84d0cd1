import type { Log, LogSource } from "./log.ts";
import { DEFAULT_LOG_BYTES, RedisLog } from "./redis-log.ts";
import { RedisMemoryCheck } from "./redis-memory.ts";

export interface RedisLogSourceOptions {
  /** One Redis, or some nodes of one Redis Cluster. */
  readonly urls: readonly string[];
  /** How much memory of Redis a log takes at most. */
  readonly maxLogBytes?: number | undefined;
  /** How many profiles Redis keeps for each shard. */
  readonly maxProfiles: number;
  /** Writes a warning to this node's own log. */
  readonly warn: (details: object, message: string) => void;
}

/** About how many entries a log keeps. */
const MAX_LOG_LENGTH = 10_000;

/** The logs in Redis. Checks the memory of each Redis that has one. */
export class RedisLogSource implements LogSource {
  readonly name = "Redis";
  /** Redis serves all nodes of a cluster: it gets one command of a node every 5 ms. */
  readonly intervalMs = 10;
  readonly #options: RedisLogSourceOptions;
  readonly #memory: RedisMemoryCheck;

  constructor(options: RedisLogSourceOptions) {
    this.#options = options;
    this.#memory = new RedisMemoryCheck(options.maxLogBytes ?? DEFAULT_LOG_BYTES, options.warn);
  }

  async open(shard: number): Promise<Log> {
    const { urls, maxLogBytes, maxProfiles } = this.#options;
    const log = await RedisLog.connect({
      urls,
      shard,
      maxLogLength: MAX_LOG_LENGTH,
      maxLogBytes,
      maxProfiles,
    });
    this.#memory.check(log.url, shard);
    return log;
  }
}
