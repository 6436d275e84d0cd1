import { BoundedMap } from "../../core/collections/bounded-map.ts";

/** After rows were read anew, the others are given so long to say that a session is still there, or is theirs. */
const GRACE_MS = 3_000;
/** Whose session it was ends it again after that grace, which may begin a little later there. */
const WITHHELD_MS = GRACE_MS + 1_000;
const MAX_ENDED = 10_000;

/**
 * What is left over when the tables were held against the rows: sessions of others that have no row, rows of this node for
 * which it has no session, and rows of others whose session has ended as far as this node knows. Where the log has lost
 * something, others are about to write it again: so these wait.
 */
export class Reconciler {
  /** Sessions that were told of since all rows began to be read; undefined when that is over. */
  #heard: Set<string> | undefined;
  /** By session, its app. */
  readonly #withoutRow = new Map<string, string>();
  readonly #withoutSession = new Map<string, string>();
  readonly #withheld = new Set<string>();
  /** The sessions that ended last. */
  readonly #ended = new BoundedMap<string, true>(MAX_ENDED);
  #loadedAt = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#withoutRow.size + this.#withoutSession.size + this.#withheld.size;
  }

  get isCollecting(): boolean {
    return this.#heard !== undefined;
  }

  /** All rows are about to be read. */
  begin(): void {
    this.#clear();
    this.#heard = new Set();
  }

  /** A row or the log says something about a session. */
  heard(sessionId: string): void {
    this.#heard?.add(sessionId);
    if (this.size === 0) return;
    this.#withoutRow.delete(sessionId);
    this.#withoutSession.delete(sessionId);
    this.#withheld.delete(sessionId);
  }

  /** A session has ended, as far as this node knows. */
  markEnded(sessionId: string): void {
    this.#ended.set(sessionId, true);
  }

  /** Its owner says how a session is: it has not ended. */
  markAlive(sessionId: string): void {
    this.#ended.delete(sessionId);
  }

  /** Whether a row is of a session that has ended, so that it is not to be believed at once: the log may have gone back. */
  quarantines(sessionId: string): boolean {
    if (this.#ended.get(sessionId) === undefined) return false;
    this.#withheld.add(sessionId);
    return true;
  }

  hasHeard(sessionId: string): boolean {
    return this.#heard?.has(sessionId) === true;
  }

  addWithoutRow(sessionId: string, appId: string): void {
    this.#withoutRow.set(sessionId, appId);
  }

  addWithoutSession(sessionId: string, appId: string): void {
    this.#withoutSession.set(sessionId, appId);
  }

  /** All rows have been read: from now on the rest waits. */
  end(now: number): void {
    this.#heard = undefined;
    this.#loadedAt = now;
  }

  /** Whether there are rows that nobody has ended in time: then they are right, and are to be read again. */
  releaseQuarantined(now: number): boolean {
    if (this.#withheld.size === 0 || now < this.#loadedAt + WITHHELD_MS) return false;
    for (const sessionId of this.#withheld) this.#ended.delete(sessionId);
    this.#withheld.clear();
    return true;
  }

  /** What nobody has settled in time. */
  takeUnresolved(now: number): {
    readonly withoutRow: [string, string][];
    readonly withoutSession: [string, string][];
  } {
    const due = { withoutRow: [] as [string, string][], withoutSession: [] as [string, string][] };
    if (now < this.#loadedAt + GRACE_MS) return due;
    due.withoutRow.push(...this.#withoutRow);
    due.withoutSession.push(...this.#withoutSession);
    this.#withoutRow.clear();
    this.#withoutSession.clear();
    return due;
  }

  #clear(): void {
    this.#heard = undefined;
    this.#withoutRow.clear();
    this.#withoutSession.clear();
    this.#withheld.clear();
    this.#loadedAt = Number.POSITIVE_INFINITY;
  }
}
