import type { Clock } from "../../src/server/clock.ts";
import type { TestGateway } from "./gateway.ts";

/** Interval at which a gateway checks its clock while a test turns it. */
const STEP_MS = 50;

/**
 * Both clocks of a gateway. They stand still until a test turns them, so a slow test never makes anything
 * late.
 */
export class HandClock implements Clock {
  #now = 1_000_000;
  /** The wall clock for tokens made by the test. */
  readonly #wallAtZero = Date.now() - this.#now;

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallAtZero + this.#now;
  }

  /** Time passes, and the gateway does what is due, except for work that waits for a reply. */
  turn(gateway: TestGateway, ms = 0): void {
    const end = this.#now + ms;
    do {
      this.#now = Math.min(end, this.#now + STEP_MS);
      gateway.node.run(this.#now);
    } while (this.#now < end);
  }
}
