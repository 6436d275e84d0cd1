import { setTimeout as sleep } from "node:timers/promises";

/** Spaces out callers evenly, in their order, because simulated users must not connect all at once. */
export class Pacer {
  readonly #intervalMs: number;
  #freeAt = 0;

  constructor(perSecond: number) {
    this.#intervalMs = 1000 / perSecond;
  }

  async wait(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, this.#freeAt);
    this.#freeAt = at + this.#intervalMs;
    await sleep(at - now, undefined, { signal });
  }
}
