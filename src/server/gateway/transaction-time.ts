/** The time of the open transaction. All changes of one transaction happen at the same time. */
export class TransactionTime {
  #now: number | undefined;

  /**
   * The time of the open transaction, in milliseconds.
   *
   * @throws Error if no transaction is open: sessions were changed from outside of one.
   */
  get now(): number {
    if (this.#now === undefined) throw new Error("sessions are changed inside a transaction only");
    return this.#now;
  }

  /** Opens a transaction. Returns the time of the enclosing one; undefined for an outermost transaction. */
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
