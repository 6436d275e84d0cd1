/** Sends the diffs of one app to its subscribers. */
export interface Flushable {
  flush(now: number): void;
}

/**
 * Decides when a transaction flushes: at its own end, or, while a batch is open, at the end of the batch. One
 * read from other nodes causes many transactions of many apps, and each app flushes once. There is one batch
 * for a whole node.
 */
export class FlushBatch {
  readonly #waiting = new Set<Flushable>();
  #isOpen = false;

  /** Called at the end of a transaction. */
  flush(app: Flushable, now: number): void {
    if (this.#isOpen) this.#waiting.add(app);
    else app.flush(now);
  }

  /**
   * Does everything in `act`, then flushes the apps that it has changed, also if it throws. `now` is asked
   * after `act`, which may take long: a flush is never earlier than the changes that it sends, and its views
   * rest from then on.
   *
   * @throws What `act` throws; otherwise what the first failed flush throws, after the other flushes.
   */
  run(now: () => number, act: () => void): void {
    if (this.#isOpen) return act();
    this.#isOpen = true;
    try {
      act();
    } finally {
      this.#isOpen = false;
      this.#flushAll(now());
    }
  }

  #flushAll(now: number): void {
    const errors: unknown[] = [];
    for (const app of this.#waiting) {
      this.#waiting.delete(app);
      try {
        app.flush(now);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
