import type { Clock } from "../../src/server/clock.ts";
import type { TestGateway } from "./gateway.ts";

/** So often a gateway looks at its clock while that is turned. */
const STEP_MS = 50;

/** Both clocks of a gateway, which stand still until a test turns them: however long a test takes, nothing is late in it. */
export class HandClock implements Clock {
  #now = 1_000_000;
  /** The wall clock of whoever makes tokens beside the test. */
  readonly #wallAtZero = Date.now() - this.#now;

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallAtZero + this.#now;
  }

  /** Time passes, and the gateway does what is due meanwhile, but for what takes an answer from somewhere. */
  turn(gateway: TestGateway, ms = 0): void {
    const end = this.#now + ms;
    do {
      this.#now = Math.min(end, this.#now + STEP_MS);
      gateway.node.run(this.#now);
    } while (this.#now < end);
  }
}
