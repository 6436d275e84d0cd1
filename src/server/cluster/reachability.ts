/**
 * After a time without the other nodes, they have this long, or one lease if that is less, to write what they
 * did.
 */
const CATCH_UP_MS = 3_000;
/** After this long without the other nodes, a node acts on what it knows. */
const MAX_DISCONNECTED_MS = 60_000;
/**
 * Redis has room again when it refused no write for this long. At its limit it refuses one write and takes
 * the next.
 */
const RELIEF_MS = 1_000;

/**
 * Whether this node knows what the other nodes did lately, so that it may declare a node or a session gone.
 * It does not while it cannot read the log, nor while Redis is full: then the others cannot write what they
 * do. Times are of its awake clock.
 */
export class Reachability {
  readonly #catchUpMs: number;
  #reachedAt: number | undefined;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** When Redis last refused some node a write as it was full; undefined while it has room. */
  #fullAt: number | undefined;

  constructor(leaseMs: number) {
    this.#catchUpMs = Math.min(CATCH_UP_MS, leaseMs);
  }

  /** Whether Redis is out of memory: other nodes are alive, but what they do is not written. */
  get isRedisFull(): boolean {
    return this.#fullAt !== undefined;
  }

  /** A node has written a batch. `isRedisFull`: only its ends were done, as Redis was full. */
  wrote(isRedisFull: boolean, now: number): void {
    if (isRedisFull) {
      this.#fullAt = now;
      this.lost(now);
    } else if (this.#fullAt !== undefined && now >= this.#fullAt + RELIEF_MS) this.#fullAt = undefined;
  }

  /** This node reads what the others write. */
  reached(now: number): void {
    if (this.isRedisFull) return;
    // After the start there is nothing to catch up with.
    this.#reachedAt ??= this.#lostAt === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : now;
  }

  /** This node does not read what the others write any more. */
  lost(now: number): void {
    if (this.#reachedAt === undefined) return;
    this.#reachedAt = undefined;
    this.#lostAt = now;
  }

  /** Whether other nodes may be declared dead. */
  canDetectFailures(now: number): boolean {
    return this.#reachedAt !== undefined && now - this.#reachedAt >= this.#catchUpMs;
  }

  /**
   * Whether sessions of this node that lost their socket may end: no other node has taken them over, or this
   * node has waited long enough. `hearsItself`: the node reads back what it writes without delay. If it does
   * not, Redis may have been silent for a while, and a takeover may not have arrived. `othersHeardAt`: when
   * the live node was heard from that has been silent for longest. Nodes that were cut off together do not
   * connect again at the same moment, so each must have been heard from since this node was back.
   */
  canExpireSessions(now: number, hearsItself: boolean, othersHeardAt: number): boolean {
    if (this.#reachedAt === undefined) return now - this.#lostAt > MAX_DISCONNECTED_MS;
    return hearsItself && othersHeardAt > this.#reachedAt && this.canDetectFailures(now);
  }
}
