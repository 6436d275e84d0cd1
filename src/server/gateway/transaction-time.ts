/** The time of the transaction that is open: all changes of one transaction happen at the same time. */
export class TransactionTime {
  #now: number | undefined;

  /**
   * The time of the open transaction.
   *
   * @throws Error when none is open: what changes sessions was called from elsewhere.
   */
  get now(): number {
    if (this.#now === undefined) throw new Error("sessions are changed inside a transaction only");
    return this.#now;
  }

  /**
   * Opens a transaction. Returns the time of the one that it is nested in; undefined for an outermost one.
   */
  begin(now: number): number | undefined {
    const outer = this.#now;
    this.#now = now;
    return outer;
  }

  /** Ends a transaction. `outer`: what `begin` returned. */
  end(outer: number | undefined): void {
    this.#now = outer;
  }
}
