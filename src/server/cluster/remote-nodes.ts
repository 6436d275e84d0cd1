import type { RegisteredWriter } from "./log.ts";

/** Another node under one of its names as a writer, as far as this node knows it. */
export interface RemoteNode {
  readonly writer: string;
  nodeId: string;
  leaseMs: number;
  /** The number of its last batch; undefined: it is not in the register. */
  seq: number | undefined;
  heardAt: number;
  /** Whether it has written something since this node knows of it. */
  hasWritten: boolean;
  /** When the sessions that it left may be ended; undefined until it is evicted. */
  expireSessionsAt: number | undefined;
  /** The log is not asked to evict or forget it again before this time. */
  retryAt: number;
}

/** The lease of a writer that a row or an entry names, but that the register did not have. */
const UNKNOWN_LEASE_MS = 10_000;

/**
 * The other writers: which of them are alive, and whose sessions wait to be taken over. Times are of the
 * awake clock.
 */
export class RemoteNodes implements Iterable<RemoteNode> {
  readonly #nodes = new Map<string, RemoteNode>();
  readonly #windowMs: number;

  /** `windowMs`: how long the sessions of an evicted node can be taken over. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  [Symbol.iterator](): Iterator<RemoteNode> {
    return this.#nodes.values();
  }

  get size(): number {
    return this.#nodes.size;
  }

  get alive(): number {
    let alive = 0;
    for (const { expireSessionsAt, seq } of this.#nodes.values()) {
      if (expireSessionsAt === undefined && seq !== undefined) alive++;
    }
    return alive;
  }

  /** When the live node was heard from that has been silent for longest; infinity if there is none. */
  get leastRecentlyHeardAt(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { expireSessionsAt, seq, heardAt } of this.#nodes.values()) {
      if (expireSessionsAt === undefined && seq !== undefined) oldest = Math.min(oldest, heardAt);
    }
    return oldest;
  }

  get(writer: string): RemoteNode | undefined {
    return this.#nodes.get(writer);
  }

  /** The node of that name. It is added if only a row or an entry names it. */
  getOrAdd(writer: string, now: number): RemoteNode {
    let node = this.#nodes.get(writer);
    if (node === undefined) {
      const unknown = { nodeId: "", leaseMs: UNKNOWN_LEASE_MS, seq: undefined, expireSessionsAt: undefined };
      node = { writer, ...unknown, heardAt: now, hasWritten: false, retryAt: now };
      this.#nodes.set(writer, node);
    }
    return node;
  }

  joined(writer: string, leaseMs: number, nodeId: string, now: number): RemoteNode {
    return Object.assign(this.getOrAdd(writer, now), { leaseMs, nodeId, seq: 0, heardAt: now });
  }

  /** The node has written a batch. */
  heardFrom(writer: string, seq: number, now: number): void {
    const node = this.getOrAdd(writer, now);
    node.seq = seq;
    node.heardAt = now;
    node.hasWritten = true;
  }

  evict(writer: string, now: number): RemoteNode {
    const node = this.getOrAdd(writer, now);
    node.seq = undefined;
    node.expireSessionsAt ??= now + this.#windowMs;
    return node;
  }

  /**
   * Compares with the register. A node that is missing there keeps its lease: it may be about to join again.
   * Returns whether there are live nodes of which nothing was known.
   */
  compare(register: readonly RegisteredWriter[], now: number): boolean {
    const missing = new Set(this.#nodes.keys());
    let hasNew = false;
    for (const { writer, seq, leaseMs, nodeId } of register) {
      if (!missing.delete(writer) && seq !== undefined) hasNew = true;
      const node = this.getOrAdd(writer, now);
      Object.assign(node, { leaseMs, nodeId });
      if (seq === undefined) this.evict(writer, now);
      // A node that was evicted is back if the log has gone back to an earlier time.
      else Object.assign(node, { seq, expireSessionsAt: undefined });
    }
    for (const writer of missing) this.#nodes.get(writer)!.seq = undefined;
    return hasNew;
  }

  /** This node could not read the log until now, so no node's silence until now counts. */
  restartLeases(now: number): void {
    for (const node of this.#nodes.values()) {
      node.heardAt = now;
      if (node.expireSessionsAt !== undefined) node.expireSessionsAt = now + this.#windowMs;
    }
  }

  forget(writer: string): void {
    this.#nodes.delete(writer);
  }

  /** How many live nodes have a name before this one. The node of the lowest rank acts first. */
  rank(writer: string): number {
    let rank = 0;
    for (const node of this.#nodes.values()) {
      if (node.expireSessionsAt === undefined && node.writer < writer) rank++;
    }
    return rank;
  }
}
