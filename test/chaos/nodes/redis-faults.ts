import { setTimeout as delay } from "node:timers/promises";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import type { NodesWorld } from "./nodes-world.ts";

/** The longest that a failover has to take. */
const FAILOVER_MS = 20_000;

/** What happens to Redis, and so to all nodes at once. Nobody may leave because of it. */
export class RedisFaults {
  readonly #world: NodesWorld;

  constructor(world: NodesWorld) {
    this.#world = world;
  }

  async freeze(ms: number): Promise<void> {
    this.#world.disturb(ms);
    await this.#world.redis.freeze(ms);
  }

  /** Nobody reaches it, and it reaches nobody. */
  async cutOff(ms: number, how: "reset" | "silent"): Promise<void> {
    this.#world.disturb(ms);
    const { address } = this.#world.redis;
    if (how === "silent") address.blackhole(true);
    else {
      address.refuse(true);
      address.cut();
    }
    await delay(ms);
    address.refuse(false);
    address.blackhole(false);
  }

  async restart(savedBeforeMs: number | undefined): Promise<void> {
    this.#world.disturb(1_000 + (savedBeforeMs ?? 0));
    await this.#world.redis.restart(savedBeforeMs);
  }

  async failOver(how: "killed" | "frozen", behindMs: number): Promise<void> {
    this.#world.disturb(FAILOVER_MS);
    await this.#world.redis.failOver(how, behindMs);
    this.#world.disturb(0);
  }

  async flush(): Promise<void> {
    this.#world.disturb(0);
    await this.#world.redis.ask("FLUSHALL");
  }

  /** Entries that not everybody has read are gone. */
  async trim(): Promise<void> {
    this.#world.disturb(0);
    await this.#world.redis.ask("XTRIM", keysOf(0).log, "MAXLEN", "1");
  }

  /** Nothing more fits into it. */
  async fill(ms: number): Promise<void> {
    this.#world.disturb(ms);
    await this.#world.redis.ask("CONFIG", "SET", "maxmemory", "1mb");
    await delay(ms);
    await this.#world.redis.ask("CONFIG", "SET", "maxmemory", "0");
  }
}
