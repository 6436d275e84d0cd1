/** After rows were read anew, the others are given so long to say that a session is still there, or is theirs. */
const GRACE_MS = 3_000;

/**
 * What is left over when the tables were held against the rows: sessions of others that have no row, and rows of this node
 * for which it has no session. Where the log has lost something, others are about to write it again: so these wait.
 */
export class Sweep {
  /** Sessions that were told of since all rows began to be read; undefined when that is over. */
  #heard: Set<string> | undefined;
  /** By session, its app. */
  readonly #withoutRow = new Map<string, string>();
  readonly #withoutSession = new Map<string, string>();
  #due = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#withoutRow.size + this.#withoutSession.size;
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
  hear(sessionId: string): void {
    this.#heard?.add(sessionId);
    if (this.size === 0) return;
    this.#withoutRow.delete(sessionId);
    this.#withoutSession.delete(sessionId);
  }

  hasHeard(sessionId: string): boolean {
    return this.#heard?.has(sessionId) === true;
  }

  missRow(sessionId: string, appId: string): void {
    this.#withoutRow.set(sessionId, appId);
  }

  missSession(sessionId: string, appId: string): void {
    this.#withoutSession.set(sessionId, appId);
  }

  /** All rows have been read: from now on the rest waits. */
  end(now: number): void {
    this.#heard = undefined;
    this.#due = now + GRACE_MS;
  }

  /** What nobody has settled in time. */
  takeDue(now: number): {
    readonly withoutRow: [string, string][];
    readonly withoutSession: [string, string][];
  } {
    const due = { withoutRow: [] as [string, string][], withoutSession: [] as [string, string][] };
    if (now < this.#due) return due;
    due.withoutRow.push(...this.#withoutRow);
    due.withoutSession.push(...this.#withoutSession);
    this.#clear();
    return due;
  }

  #clear(): void {
    this.#heard = undefined;
    this.#withoutRow.clear();
    this.#withoutSession.clear();
    this.#due = Number.POSITIVE_INFINITY;
  }
}
