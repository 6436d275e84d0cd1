import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import type { AppUnderChaos, Slot } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import { LATEST_DETECTION_MS, SLACK_MS, SOONEST_DETECTION_MS, TIMES } from "./times.ts";

/** Faults of crowds. Each crowd is a process behind its own network. Undefined if no crowd is available. */
export class CrowdFaults {
  readonly #world: ChaosWorld;
  readonly #a: AppUnderChaos;
  readonly #random: Random;

  constructor(world: ChaosWorld) {
    this.#world = world;
    this.#a = world.a;
    this.#random = world.random;
  }

  kill(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      slot.crowd.kill();
      const at = Date.now();
      for (const userId of slot.crowd.userIds) {
        this.#a.oracle.record(at, userId, "killed");
        this.#a.oracle.mayLeave(userId, at + TIMES.windowMs, at + TIMES.windowMs + SLACK_MS);
      }
      this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
      await delay(this.#random.between(500, 5_000));
      this.#a.revive(slot);
    });
  }

  stop(ms: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#doubt(slot, `stopped for ${Math.round(ms)} ms`);
      slot.crowd.signal("SIGSTOP");
      await delay(ms);
      slot.crowd.signal("SIGCONT");
    });
  }

  blackhole(ms: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#doubt(slot, `network silent for ${Math.round(ms)} ms`);
      slot.proxy.blackhole(true);
      await delay(ms);
      slot.proxy.blackhole(false);
    });
  }

  /** From now on its state may be outdated, and the gateway may soon consider it dead. */
  #doubt(slot: Slot, why: string): void {
    const at = Date.now();
    slot.crowd.isDoubtful = true;
    for (const userId of slot.crowd.userIds) {
      this.#a.oracle.record(at, userId, why);
      this.#a.oracle.mayLeave(userId, at + SOONEST_DETECTION_MS + TIMES.windowMs);
    }
    this.#world.extendEffects(LATEST_DETECTION_MS + TIMES.windowMs + SLACK_MS);
  }

  cut(times: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      for (let i = 0; i < times; i++) {
        if (i > 0) await delay(this.#random.between(150, 700));
        this.#lose(slot, "reset");
        slot.proxy.cut();
      }
    });
  }

  halfClose(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#lose(slot, "half-closed");
      slot.proxy.halfClose(this.#random.pick(["client", "server"]));
    });
  }

  slowNetwork(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      slot.proxy.delay(this.#random.between(20, 200));
      slot.proxy.slice(this.#random.pick([1, 7, 1_400]));
      await delay(2_000);
      slot.proxy.delay(0);
      slot.proxy.slice(Number.POSITIVE_INFINITY);
    });
  }

  /** The gateway notices at once. `holds` reports the users that return in time. */
  #lose(slot: Slot, why: string): void {
    const at = Date.now();
    for (const userId of slot.crowd.userIds) {
      this.#a.oracle.record(at, userId, why);
      this.#a.oracle.mayLeave(userId, at + TIMES.windowMs);
    }
    this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
  }

  #withSlot(act: (slot: Slot) => Promise<void>): Promise<void> | undefined {
    const free = this.#a.slots.filter(({ isBusy, crowd }) => !isBusy && !crowd.isDead);
    if (free.length === 0) return undefined;
    const slot = this.#random.pick(free);
    slot.isBusy = true;
    return act(slot).finally(() => {
      slot.isBusy = false;
    });
  }
}
