import type { Registered } from "./log.ts";

/** Another writer, as far as this node has heard of it. */
export interface Peer {
  readonly writer: string;
  nodeId: string;
  leaseMs: number;
  /** Its last batch; undefined: the register does not have it. */
  seq: number | undefined;
  heardAt: number;
  /** It has written something since this node knows of it. */
  hasSpoken: boolean;
  /** When the sessions that it left may be ended; undefined while it is not buried. */
  eraseAt: number | undefined;
  /** Not to be asked for again before. */
  retryAt: number;
}

/** A writer that rows or entries name, but that the register did not have. */
const UNKNOWN_LEASE_MS = 10_000;

/** The other writers: which are alive, and whose sessions wait to be taken over. Times are of this node's awake clock. */
export class Peers implements Iterable<Peer> {
  readonly #peers = new Map<string, Peer>();
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values();
  }

  get size(): number {
    return this.#peers.size;
  }

  get alive(): number {
    let alive = 0;
    for (const { eraseAt, seq } of this.#peers.values())
      if (eraseAt === undefined && seq !== undefined) alive++;
    return alive;
  }

  get(writer: string): Peer | undefined {
    return this.#peers.get(writer);
  }

  /** The peer of that name, which may be one that nobody has told of. */
  know(writer: string, now: number): Peer {
    let peer = this.#peers.get(writer);
    if (peer === undefined) {
      const base = { writer, nodeId: "", leaseMs: UNKNOWN_LEASE_MS, seq: undefined, eraseAt: undefined };
      peer = { ...base, heardAt: now, hasSpoken: false, retryAt: now };
      this.#peers.set(writer, peer);
    }
    return peer;
  }

  joined(writer: string, leaseMs: number, nodeId: string, now: number): void {
    Object.assign(this.know(writer, now), { leaseMs, nodeId, seq: 0, heardAt: now });
  }

  heard(writer: string, seq: number, now: number): Peer {
    const peer = this.know(writer, now);
    peer.seq = seq;
    peer.heardAt = now;
    peer.hasSpoken = true;
    return peer;
  }

  bury(writer: string, now: number): void {
    const peer = this.know(writer, now);
    peer.seq = undefined;
    peer.eraseAt ??= now + this.#windowMs;
  }

  /** Compares with what the register says. Who is not in it keeps its lease: it may be about to join again. */
  compare(register: readonly Registered[], now: number): void {
    const missing = new Set(this.#peers.keys());
    for (const { writer, seq, leaseMs, nodeId } of register) {
      missing.delete(writer);
      const peer = this.know(writer, now);
      Object.assign(peer, { leaseMs, nodeId });
      if (seq === undefined) this.bury(writer, now);
      // One that was buried may be back, in a log that has gone back to an earlier time.
      else Object.assign(peer, { seq, eraseAt: undefined });
    }
    for (const writer of missing) this.#peers.get(writer)!.seq = undefined;
  }

  /** Nothing could be heard until now: nobody's silence until now counts. */
  hearAgain(now: number): void {
    for (const peer of this.#peers.values()) {
      peer.heardAt = now;
      if (peer.eraseAt !== undefined) peer.eraseAt = now + this.#windowMs;
    }
  }

  forget(writer: string): void {
    this.#peers.delete(writer);
  }

  /** How many of those alive have a name before this one: whoever has the least acts first. */
  rank(writer: string): number {
    let rank = 0;
    for (const peer of this.#peers.values()) if (peer.eraseAt === undefined && peer.writer < writer) rank++;
    return rank;
  }
}
