/**
 * Bounds what is done in one turn of the event loop. At least `least` are in each turn, and at most three
 * times as many.
 */
export class TurnQuota {
  readonly #least: number;
  #taken = 0;
  readonly #reset = () => {
    this.#taken = 0;
  };

  constructor(least: number) {
    this.#least = least;
  }

  take(): boolean {
    // To reset it in each turn would cost something where little is done in a turn.
    if (++this.#taken === 2 * this.#least) setImmediate(this.#reset);
    return this.#taken <= 3 * this.#least;
  }
}
