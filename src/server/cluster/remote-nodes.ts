import type { RegisteredWriter } from "./log.ts";

/** Another writer, as far as this node has heard of it. */
export interface RemoteNode {
  readonly writer: string;
  nodeId: string;
  leaseMs: number;
  /** Its last batch; undefined: the register does not have it. */
  seq: number | undefined;
  heardAt: number;
  /** It has written something since this node knows of it. */
  hasWritten: boolean;
  /** When the sessions that it left may be ended; undefined while it is not buried. */
  expireSessionsAt: number | undefined;
  /** Not to be asked for again before. */
  retryAt: number;
}

/** A writer that rows or entries name, but that the register did not have. */
const UNKNOWN_LEASE_MS = 10_000;

/** The other writers: which are alive, and whose sessions wait to be taken over. Times are of this node's awake clock. */
export class RemoteNodes implements Iterable<RemoteNode> {
  readonly #peers = new Map<string, RemoteNode>();
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  [Symbol.iterator](): Iterator<RemoteNode> {
    return this.#peers.values();
  }

  get size(): number {
    return this.#peers.size;
  }

  get alive(): number {
    let alive = 0;
    for (const { expireSessionsAt, seq } of this.#peers.values())
      if (expireSessionsAt === undefined && seq !== undefined) alive++;
    return alive;
  }

  get(writer: string): RemoteNode | undefined {
    return this.#peers.get(writer);
  }

  /** The peer of that name, which may be one that nobody has told of. */
  getOrAdd(writer: string, now: number): RemoteNode {
    let peer = this.#peers.get(writer);
    if (peer === undefined) {
      const base = {
        writer,
        nodeId: "",
        leaseMs: UNKNOWN_LEASE_MS,
        seq: undefined,
        expireSessionsAt: undefined,
      };
      peer = { ...base, heardAt: now, hasWritten: false, retryAt: now };
      this.#peers.set(writer, peer);
    }
    return peer;
  }

  joined(writer: string, leaseMs: number, nodeId: string, now: number): void {
    Object.assign(this.getOrAdd(writer, now), { leaseMs, nodeId, seq: 0, heardAt: now });
  }

  heardFrom(writer: string, seq: number, now: number): RemoteNode {
    const peer = this.getOrAdd(writer, now);
    peer.seq = seq;
    peer.heardAt = now;
    peer.hasWritten = true;
    return peer;
  }

  evict(writer: string, now: number): void {
    const peer = this.getOrAdd(writer, now);
    peer.seq = undefined;
    peer.expireSessionsAt ??= now + this.#windowMs;
  }

  /** Compares with what the register says. Who is not in it keeps its lease: it may be about to join again. */
  compare(register: readonly RegisteredWriter[], now: number): void {
    const missing = new Set(this.#peers.keys());
    for (const { writer, seq, leaseMs, nodeId } of register) {
      missing.delete(writer);
      const peer = this.getOrAdd(writer, now);
      Object.assign(peer, { leaseMs, nodeId });
      if (seq === undefined) this.evict(writer, now);
      // One that was buried may be back, in a log that has gone back to an earlier time.
      else Object.assign(peer, { seq, expireSessionsAt: undefined });
    }
    for (const writer of missing) this.#peers.get(writer)!.seq = undefined;
  }

  /** Nothing could be heard until now: nobody's silence until now counts. */
  restartLeases(now: number): void {
    for (const peer of this.#peers.values()) {
      peer.heardAt = now;
      if (peer.expireSessionsAt !== undefined) peer.expireSessionsAt = now + this.#windowMs;
    }
  }

  forget(writer: string): void {
    this.#peers.delete(writer);
  }

  /** How many of those alive have a name before this one: whoever has the least acts first. */
  rank(writer: string): number {
    let rank = 0;
    for (const peer of this.#peers.values())
      if (peer.expireSessionsAt === undefined && peer.writer < writer) rank++;
    return rank;
  }
}
