import { BoundedMap } from "../../core/collections/bounded-map.ts";

/**
 * After all rows were read, other nodes have this long to write that a session is still there, or is theirs.
 */
const GRACE_MS = 3_000;
/**
 * The former owner ends a quarantined session after that grace period, which may begin a little later on its
 * node.
 */
const QUARANTINE_MS = GRACE_MS + 1_000;
const MAX_ENDED = 10_000;

/**
 * What remains when the sessions of this node are compared with all rows: sessions of other nodes that have
 * no row, rows of this node that have no session, and rows of sessions that have ended as far as this node
 * knows. If the log has lost something, other nodes are about to write it again. So these cases wait for a
 * grace period.
 */
export class Reconciler {
  /**
   * Sessions named by a row or a record since all rows began to be read; undefined when all rows have been
   * read.
   */
  #named: Set<string> | undefined;
  /** App by session. */
  readonly #withoutRow = new Map<string, string>();
  readonly #withoutSession = new Map<string, string>();
  readonly #quarantined = new Set<string>();
  /** The sessions that ended last. */
  readonly #ended = new BoundedMap<string, true>(MAX_ENDED);
  #loadedAt = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#withoutRow.size + this.#withoutSession.size + this.#quarantined.size;
  }

  get isCollecting(): boolean {
    return this.#named !== undefined;
  }

  /** All rows are about to be read. */
  begin(): void {
    this.#named = new Set();
    this.#withoutRow.clear();
    this.#withoutSession.clear();
    this.#quarantined.clear();
    this.#loadedAt = Number.POSITIVE_INFINITY;
  }

  /** A row or a record names a session, so nothing about it is open any more. */
  heard(sessionId: string): void {
    this.#named?.add(sessionId);
    if (this.size === 0) return;
    this.#withoutRow.delete(sessionId);
    this.#withoutSession.delete(sessionId);
    this.#quarantined.delete(sessionId);
  }

  hasHeard(sessionId: string): boolean {
    return this.#named?.has(sessionId) === true;
  }

  /** A session has ended, as far as this node knows. */
  markEnded(sessionId: string): void {
    this.#ended.set(sessionId, true);
  }

  /** The owner of a session says how it is, so it has not ended. */
  markAlive(sessionId: string): void {
    this.#ended.delete(sessionId);
  }

  hasEnded(sessionId: string): boolean {
    return this.#ended.get(sessionId) !== undefined;
  }

  /** Keeps back the row of a session that has ended. If no node writes its end in time, the row is right. */
  quarantine(sessionId: string): void {
    this.#quarantined.add(sessionId);
  }

  addWithoutRow(sessionId: string, appId: string): void {
    this.#withoutRow.set(sessionId, appId);
  }

  addWithoutSession(sessionId: string, appId: string): void {
    this.#withoutSession.set(sessionId, appId);
  }

  /** All rows have been read: the grace period of what is open begins. */
  end(now: number): void {
    this.#named = undefined;
    this.#loadedAt = now;
  }

  /**
   * Whether some quarantined sessions were not ended in time. Their rows are right, and must be read again.
   */
  releaseQuarantined(now: number): boolean {
    if (this.#quarantined.size === 0 || now < this.#loadedAt + QUARANTINE_MS) return false;
    for (const sessionId of this.#quarantined) this.#ended.delete(sessionId);
    this.#quarantined.clear();
    return true;
  }

  /** Takes out what is still open after the grace period: pairs of session and app. */
  takeUnresolved(now: number): {
    readonly withoutRow: readonly [string, string][];
    readonly withoutSession: readonly [string, string][];
  } {
    if (now < this.#loadedAt + GRACE_MS) return { withoutRow: [], withoutSession: [] };
    const unresolved = { withoutRow: [...this.#withoutRow], withoutSession: [...this.#withoutSession] };
    this.#withoutRow.clear();
    this.#withoutSession.clear();
    return unresolved;
  }
}
