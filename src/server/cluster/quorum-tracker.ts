/** After a time without the others they are given so long, or a lease if that is less, to say what they did meanwhile. */
const SETTLE_MS = 3_000;
/** Without the others for longer than this, a node goes by what it knows. */
const MAX_PATIENCE_MS = 60_000;
/** Redis has room again when nobody was refused for so long: at the edge it refuses one write and takes the next. */
const RELIEF_MS = 1_000;

/** Whether this node knows what the others did lately, and so may say that somebody has gone. Times are of its awake clock. */
export class QuorumTracker {
  readonly #settleMs: number;
  #foundAt: number | undefined;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** When a node was last refused a write as Redis was full; undefined while it is not. */
  #fullAt: number | undefined;

  constructor(leaseMs: number) {
    this.#settleMs = Math.min(SETTLE_MS, leaseMs);
  }

  get isReachable(): boolean {
    return this.#foundAt !== undefined;
  }

  /** Redis is out of memory: nodes are alive, but what they do is not told. */
  get isFull(): boolean {
    return this.#fullAt !== undefined;
  }

  /** A node has written, all that it had or, as Redis was full, only that it is alive. */
  wrote(isFull: boolean, now: number): void {
    if (isFull) {
      this.#fullAt = now;
      this.lost(now);
    } else if (this.#fullAt !== undefined && now >= this.#fullAt + RELIEF_MS) this.#fullAt = undefined;
  }

  reached(now: number): void {
    if (this.isFull) return;
    // At the first time there is nothing to wait for.
    this.#foundAt ??= this.#lostAt === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : now;
  }

  lost(now: number): void {
    if (this.#foundAt === undefined) return;
    this.#foundAt = undefined;
    this.#lostAt = now;
  }

  /** Others may be declared dead. */
  canDetectFailures(now: number): boolean {
    return this.#foundAt !== undefined && now - this.#foundAt >= this.#settleMs;
  }

  /** Sessions of this node that nobody came back for may end: they have not been taken over elsewhere, or it has waited enough. */
  canExpireSessions(now: number): boolean {
    return this.#foundAt === undefined ? now - this.#lostAt > MAX_PATIENCE_MS : this.canDetectFailures(now);
  }
}
