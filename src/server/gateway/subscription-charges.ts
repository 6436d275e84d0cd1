import type { FlushPayer } from "./view-channel.ts";

export interface ChargeLimits {
  readonly maxBytes: number;
  /** The most different filters, including those of idle views. */
  readonly maxFilters: number;
}

/** What the same user is charged at the other processes of this gateway. */
export interface ChargesElsewhere {
  readonly bytes: number;
  readonly filters: number;
  /** This process charges so much more, or less. */
  change(bytes: number, filters: number): void;
}

const NOWHERE: ChargesElsewhere = { bytes: 0, filters: 0, change: () => {} };

/** How many waiting answers are retried when one ends. If none is under way, all are retried. */
const RETRIES = 8;

interface Held {
  /** The bytes of the view when it was subscribed to. */
  readonly bytes: number;
  subscriptions: number;
}

/**
 * The memory that the subscriptions of one user keep, over all of the user's sockets. A view is charged once,
 * however many sockets subscribe to it. It stays charged while it is idle after the user was its last
 * subscriber, so using ever new filters gains nothing: at the limit, the user's own idle views are dropped,
 * the one idle longest first. The growth of a view since it was subscribed to counts when the user subscribes
 * to another one, and takes nothing away from the user.
 *
 * Where several processes are one gateway, what the user subscribes to counts for all of them. Idle views
 * count for each, because no process can drop those of another one.
 */
export class SubscriptionCharges implements FlushPayer {
  flushFreeAt = 0;
  readonly #limits: ChargeLimits;
  /** Drops the idle view with that key. */
  readonly #drop: (key: string) => void;
  /** Bytes that a view keeps now; undefined if unknown. */
  readonly #bytesOf: (key: string) => number | undefined;
  readonly #elsewhere: ChargesElsewhere;
  /** By the key of the filter, which stays the same whatever happens to the view. */
  readonly #held = new Map<string, Held>();
  readonly #idle = new Map<string, number>();
  #heldBytes = 0;
  #idleBytes = 0;
  /** Bytes of the long answers that have begun, and callbacks of those that wait to begin. */
  #answerBytes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(
    limits: ChargeLimits,
    drop: (key: string) => void,
    bytesOf: (key: string) => number | undefined,
    elsewhere: ChargesElsewhere = NOWHERE,
  ) {
    this.#limits = limits;
    this.#drop = drop;
    this.#bytesOf = bytesOf;
    this.#elsewhere = elsewhere;
  }

  get bytes(): number {
    return this.#heldBytes + this.#idleBytes;
  }

  /** How many views are charged to the user. */
  get filters(): number {
    return this.#held.size + this.#idle.size;
  }

  get isEmpty(): boolean {
    return this.filters === 0 && this.bytes === 0 && this.#answerBytes === 0;
  }

  /** Makes room for a new view of `bytes` bytes. Returns false, and drops nothing, if that is impossible. */
  makeRoom(bytes: number): boolean {
    return this.#makeRoom(bytes, 1);
  }

  /** Charges one more subscription to a view. Returns false, and charges nothing, if that is too much. */
  subscribe(key: string, bytes: number): boolean {
    const held = this.#held.get(key);
    if (held !== undefined) {
      held.subscriptions++;
      return true;
    }
    const idleBytes = this.#idle.get(key);
    // The view must not be dropped to make room for itself.
    if (idleBytes !== undefined) this.onIdleEnd(key);
    if (!this.#makeRoom(bytes, 1)) {
      if (idleBytes !== undefined) this.#addIdle(key, idleBytes);
      return false;
    }
    this.#held.set(key, { bytes, subscriptions: 1 });
    this.#hold(bytes, 1);
    return true;
  }

  /** Refunds one subscription. */
  unsubscribe(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined || --held.subscriptions > 0) return;
    this.#held.delete(key);
    this.#hold(-held.bytes, -1);
  }

  /** A view has become idle, and the user was its last subscriber. It may be dropped at once. */
  onIdle(key: string, bytes: number): void {
    this.#addIdle(key, bytes);
    this.#dropIdle(() => this.bytes > this.#limits.maxBytes || this.filters > this.#limits.maxFilters);
  }

  /** An idle view was dropped, or has a subscriber again. */
  onIdleEnd(key: string): void {
    this.#idleBytes -= this.#idle.get(key) ?? 0;
    this.#idle.delete(key);
  }

  /**
   * Charges the bytes of a waiting query; false if that is too much. `giveBack` must be called when it ends.
   */
  reserve(bytes: number): boolean {
    if (!this.#makeRoom(bytes, 0)) return false;
    this.#hold(bytes, 0);
    return true;
  }

  giveBack(bytes: number): void {
    this.#hold(-bytes, 0);
  }

  /**
   * Begins a long answer that holds `bytes` bytes while its reader takes it. Returns false if the user's
   * answers under way hold too much already; `retry` is called when one of them ends. One answer may always
   * begin.
   */
  beginAnswer(bytes: number, retry: () => void): boolean {
    if (this.#answerBytes > 0 && this.#answerBytes + bytes > this.#limits.maxBytes) {
      this.#waiting.add(retry);
      return false;
    }
    this.#answerBytes += bytes;
    return true;
  }

  /** A long answer was sent, or its reader has gone. */
  endAnswer(bytes: number): void {
    this.#answerBytes -= bytes;
    let left = this.#answerBytes === 0 ? this.#waiting.size : RETRIES;
    for (const retry of this.#waiting) {
      if (left-- <= 0) return;
      this.#waiting.delete(retry);
      retry();
    }
  }

  /** The reader of a waiting answer has gone. */
  cancelRetry(retry: () => void): void {
    this.#waiting.delete(retry);
  }

  #hold(bytes: number, filters: number): void {
    this.#heldBytes += bytes;
    this.#elsewhere.change(bytes, filters);
  }

  #addIdle(key: string, bytes: number): void {
    this.#idle.set(key, bytes);
    this.#idleBytes += bytes;
  }

  #makeRoom(bytes: number, filters: number): boolean {
    const maxBytes = this.#limits.maxBytes - this.#elsewhere.bytes;
    const maxFilters = this.#limits.maxFilters - this.#elsewhere.filters;
    // A waiting query is not refused because other users have made a view larger.
    const more = bytes + (filters > 0 ? this.#growth() : 0);
    if (this.#heldBytes + more > maxBytes || this.#held.size + filters > maxFilters) return false;
    this.#dropIdle(() => this.bytes + more > maxBytes || this.filters + filters > maxFilters);
    return true;
  }

  /** How many bytes the held views have grown since they were charged, or shrunk if negative. */
  #growth(): number {
    let growth = 0;
    for (const [key, { bytes }] of this.#held) growth += (this.#bytesOf(key) ?? bytes) - bytes;
    return growth;
  }

  #dropIdle(isTooMuch: () => boolean): void {
    for (const key of this.#idle.keys()) {
      if (!isTooMuch()) return;
      this.#drop(key);
      this.onIdleEnd(key);
    }
  }
}
