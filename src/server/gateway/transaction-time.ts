/** The time of the transaction that is open: all changes of one transaction happen at the same time. */
export class TransactionTime {
  #now = 0;
  #isOpen = false;

  /**
   * The time of the open transaction.
   *
   * @throws Error when none is open: what changes sessions was called from elsewhere.
   */
  get now(): number {
    if (!this.#isOpen) throw new Error("sessions are changed inside a transaction only");
    return this.#now;
  }

  /** Opens a transaction. Returns the time of the one that it is nested in; undefined for an outermost one. */
  begin(now: number): number | undefined {
    const outer = this.#isOpen ? this.#now : undefined;
    this.#now = now;
    this.#isOpen = true;
    return outer;
  }

  /** Ends a transaction. `outer`: what `begin` returned. */
  end(outer: number | undefined): void {
    if (outer === undefined) this.#isOpen = false;
    else this.#now = outer;
  }
}
