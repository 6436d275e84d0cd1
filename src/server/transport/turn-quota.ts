import { MAX_PIPELINED } from "./transport.ts";

/**
 * Bounds the requests that are handled in one turn of the event loop: one read may carry thousands. At least
 * `MAX_PIPELINED` are in each turn, and at most three times as many.
 */
export class TurnQuota {
  #taken = 0;
  readonly #reset = () => {
    this.#taken = 0;
  };

  take(): boolean {
    // To reset it in each turn would cost each request something where there is one in a turn.
    if (++this.#taken === 2 * MAX_PIPELINED) setImmediate(this.#reset);
    return this.#taken <= 3 * MAX_PIPELINED;
  }
}
