import { BURST_MS, MESSAGE_MS } from "./limits.ts";

/**
 * When the next message may go out, so that the gateway refuses none for coming too fast. After a quiet time
 * a burst may go out at once. Pure: `now` is any monotonic time in milliseconds.
 */
export class Pace {
  #intervalMs: number;
  readonly #shortestMs: number;
  /** When all that was sent would be out, had each message waited for its interval. */
  #outAt = Number.NEGATIVE_INFINITY;

  /** @param factor How many times more than the socket of a user this one may send. */
  constructor(factor: number) {
    this.#intervalMs = this.#shortestMs = MESSAGE_MS / factor;
  }

  /** Whether a message had better wait. */
  isOver(now: number): boolean {
    return this.#outAt > now + BURST_MS;
  }

  sent(now: number): void {
    this.#outAt = Math.max(this.#outAt, now) + this.#intervalMs;
    // After a refusal the rate recovers little by little.
    this.#intervalMs = Math.max(this.#shortestMs, this.#intervalMs * 0.99);
  }

  /** A message came too fast: nothing goes out for a while, and then less. */
  refused(now: number): void {
    // Messages that were sent together are refused together, and count once.
    if (this.#outAt > now + 1.5 * BURST_MS) return;
    this.#outAt = now + 2 * BURST_MS;
    this.#intervalMs = Math.min(2 * this.#intervalMs, BURST_MS / 4);
  }
}
