import { setTimeout as delay } from "node:timers/promises";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import type { NodesWorld } from "./nodes-world.ts";

/** The maximum duration of a failover. */
const FAILOVER_MS = 20_000;

/** Faults of Redis, which affect all nodes at once. No user may leave because of them. */
export class RedisFaults {
  readonly #world: NodesWorld;

  constructor(world: NodesWorld) {
    this.#world = world;
  }

  async freeze(ms: number): Promise<void> {
    this.#world.disturb(ms);
    await this.#world.redis.freeze(ms);
  }

  /** No node can reach it, and it can reach no node. */
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

  /** Entries are lost before every node has read them. */
  async trim(): Promise<void> {
    this.#world.disturb(0);
    await this.#world.redis.ask("XTRIM", keysOf(0).log, "MAXLEN", "1");
  }

  /** Its memory is full. */
  async fill(ms: number): Promise<void> {
    this.#world.disturb(ms);
    await this.#world.redis.ask("CONFIG", "SET", "maxmemory", "1mb");
    await delay(ms);
    await this.#world.redis.ask("CONFIG", "SET", "maxmemory", "0");
  }
}
