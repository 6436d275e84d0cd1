/** After a time without the others they are given so long, or a lease if that is less, to say what they did meanwhile. */
const SETTLE_MS = 3_000;
/** Without the others for longer than this, a node goes by what it knows. */
const MAX_PATIENCE_MS = 60_000;

/** Whether this node knows what the others did lately, and so may say that somebody has gone. Times are of its awake clock. */
export class Touch {
  readonly #settleMs: number;
  #foundAt: number | undefined;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(leaseMs: number) {
    this.#settleMs = Math.min(SETTLE_MS, leaseMs);
  }

  get isThere(): boolean {
    return this.#foundAt !== undefined;
  }

  found(now: number): void {
    // At the first time there is nothing to wait for.
    this.#foundAt ??= this.#lostAt === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : now;
  }

  lost(now: number): void {
    if (this.#foundAt === undefined) return;
    this.#foundAt = undefined;
    this.#lostAt = now;
  }

  /** Others may be declared dead. */
  mayJudge(now: number): boolean {
    return this.#foundAt !== undefined && now - this.#foundAt >= this.#settleMs;
  }

  /** Sessions of this node that nobody came back for may end: they have not been taken over elsewhere, or it has waited enough. */
  mayGiveUp(now: number): boolean {
    return this.#foundAt === undefined ? now - this.#lostAt > MAX_PATIENCE_MS : this.mayJudge(now);
  }
}
