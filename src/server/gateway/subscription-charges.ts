import type { FlushPayer } from "./view-channel.ts";

export interface ChargeLimits {
  readonly maxBytes: number;
  /** Different filters, those that were let go of but are still kept included. */
  readonly maxFilters: number;
}

/** Answers that are tried again when one has ended; all are when none is under way. */
const RETRIES = 8;

interface Held {
  /** When it was subscribed to. */
  readonly bytes: number;
  subscriptions: number;
}

/**
 * What the subscriptions of one user keep in memory, over all of the user's sockets. A view is charged once,
 * however many sockets watch it. It stays charged while it is kept idle after the user was the last to let go
 * of it, so that ever new filters gain nothing: at the limit the user's own idle views go first, the one idle
 * longest before others. What a held view has grown by since then counts when the user subscribes to
 * another: what they have, they keep.
 */
export class SubscriptionCharges implements FlushPayer {
  flushFreeAt = 0;
  readonly #limits: ChargeLimits;
  /** Drops an idle view. */
  readonly #drop: (key: string) => void;
  /** What a view keeps now, where that is known at once. */
  readonly #bytesOf: (key: string) => number | undefined;
  /** By the key of the filter: that stays the same, whatever becomes of the view. */
  readonly #held = new Map<string, Held>();
  readonly #idle = new Map<string, number>();
  #heldBytes = 0;
  #idleBytes = 0;
  /** What the long answers hold that were begun, and those who wait to begin one. */
  #answerBytes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(
    limits: ChargeLimits,
    drop: (key: string) => void,
    bytesOf: (key: string) => number | undefined,
  ) {
    this.#limits = limits;
    this.#drop = drop;
    this.#bytesOf = bytesOf;
  }

  get bytes(): number {
    return this.#heldBytes + this.#idleBytes;
  }

  /** Views that are charged to the user. */
  get filters(): number {
    return this.#held.size + this.#idle.size;
  }

  get isEmpty(): boolean {
    return this.filters === 0 && this.bytes === 0 && this.#answerBytes === 0;
  }

  /** Makes room for a new view of so many bytes; false if there can be none, and then nothing is dropped. */
  makeRoom(bytes: number): boolean {
    return this.#makeRoom(bytes, 1);
  }

  /** Charges one more subscription to a view; false if that is too much, and then nothing is charged. */
  subscribe(key: string, bytes: number): boolean {
    const held = this.#held.get(key);
    if (held !== undefined) {
      held.subscriptions++;
      return true;
    }
    const idleBytes = this.#idle.get(key);
    // It must not be dropped to make room for itself.
    if (idleBytes !== undefined) this.onIdleEnd(key);
    if (!this.#makeRoom(bytes, 1)) {
      if (idleBytes !== undefined) this.#addIdle(key, idleBytes);
      return false;
    }
    this.#held.set(key, { bytes, subscriptions: 1 });
    this.#heldBytes += bytes;
    return true;
  }

  /** Gives back what one subscription was charged. */
  unsubscribe(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined || --held.subscriptions > 0) return;
    this.#held.delete(key);
    this.#heldBytes -= held.bytes;
  }

  /**
   * A view is kept idle from now on, and the user was the last to let go of it. It may be dropped at once.
   */
  onIdle(key: string, bytes: number): void {
    this.#addIdle(key, bytes);
    this.#dropIdle(() => this.bytes > this.#limits.maxBytes || this.filters > this.#limits.maxFilters);
  }

  /** An idle view was dropped, or somebody watches it again. */
  onIdleEnd(key: string): void {
    this.#idleBytes -= this.#idle.get(key) ?? 0;
    this.#idle.delete(key);
  }

  /** Charges what a query holds while it waits; false if that is too much. To be given back by `giveBack`. */
  reserve(bytes: number): boolean {
    if (!this.#makeRoom(bytes, 0)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /**
   * Begins a long answer that holds so many bytes while its reader takes it. False if those of the user
   * that were begun hold too much already: then `retry` is called when one of them ends. One may always be
   * begun.
   */
  beginAnswer(bytes: number, retry: () => void): boolean {
    if (this.#answerBytes > 0 && this.#answerBytes + bytes > this.#limits.maxBytes) {
      this.#waiting.add(retry);
      return false;
    }
    this.#answerBytes += bytes;
    return true;
  }

  /** A long answer is out, or nobody takes it any more. */
  endAnswer(bytes: number): void {
    this.#answerBytes -= bytes;
    let left = this.#answerBytes === 0 ? this.#waiting.size : RETRIES;
    for (const retry of this.#waiting) {
      if (left-- <= 0) return;
      this.#waiting.delete(retry);
      retry();
    }
  }

  /** Who has waited is gone. */
  cancelRetry(retry: () => void): void {
    this.#waiting.delete(retry);
  }

  #addIdle(key: string, bytes: number): void {
    this.#idle.set(key, bytes);
    this.#idleBytes += bytes;
  }

  #makeRoom(bytes: number, filters: number): boolean {
    const { maxBytes, maxFilters } = this.#limits;
    // A query that waits is not refused for what others have added to a view.
    const more = bytes + (filters > 0 ? this.#growth() : 0);
    if (this.#heldBytes + more > maxBytes || this.#held.size + filters > maxFilters) return false;
    this.#dropIdle(() => this.bytes + more > maxBytes || this.filters + filters > maxFilters);
    return true;
  }

  /** What the held views keep beyond what they were charged, or less. */
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
