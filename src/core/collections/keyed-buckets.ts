import { LinkedMap } from "./linked-map.ts";

interface Bucket {
  tokens: number;
  /** When `tokens` was last computed, in milliseconds. */
  at: number;
}

/**
 * A token bucket for each key: `perSecond` tokens a second, at most `burst` at once. A key without an entry
 * has a full bucket, so an entry is removed once its bucket would be full again. At most `maxKeys` entries
 * are kept. Beyond that, the key that has taken nothing for longest starts with a full bucket.
 */
export class KeyedBuckets {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #maxKeys: number;
  /** Ordered by when each key last took a token, the most recent last. */
  readonly #buckets = new LinkedMap<string, Bucket>();

  constructor(perSecond: number, burst: number, maxKeys: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
  }

  /** How many keys have an entry. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `tokens` tokens of the key, or returns false and takes none. `now`: milliseconds. */
  take(key: string, now: number, tokens = 1): boolean {
    this.#drop(now);
    const known = this.#buckets.get(key);
    const bucket = known ?? { tokens: this.#burst, at: now };
    this.#refill(bucket, now);
    if (bucket.tokens < tokens) return false;
    bucket.tokens -= tokens;
    this.#putLast(key, bucket, known === undefined);
    return true;
  }

  /** Takes tokens of the key that were used elsewhere, also more than it has. */
  debit(key: string, now: number, tokens = 1): void {
    this.#drop(now);
    const known = this.#buckets.get(key);
    const bucket = known ?? { tokens: this.#burst, at: now };
    this.#refill(bucket, now);
    bucket.tokens = Math.max(-this.#burst, bucket.tokens - tokens);
    this.#putLast(key, bucket, known === undefined);
  }

  /** Returns tokens that the key has taken. */
  giveBack(key: string, tokens = 1): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#burst, bucket.tokens + tokens);
  }

  /** Milliseconds until the key has a token; 0 if it has one. */
  waitMs(key: string, now: number): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    this.#refill(bucket, now);
    return bucket.tokens >= 1 ? 0 : Math.ceil((1 - bucket.tokens) / this.#perMs);
  }

  #refill(bucket: Bucket, now: number): void {
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.at) * this.#perMs);
    bucket.at = now;
  }

  #putLast(key: string, bucket: Bucket, isNew: boolean): void {
    if (isNew) this.#buckets.set(key, bucket);
    else this.#buckets.moveToEnd(key);
  }

  /** A call adds at most one entry, and this removes up to two, so full buckets do not pile up. */
  #drop(now: number): void {
    for (let left = 2; left > 0; left--) {
      const oldest = this.#buckets.first;
      if (oldest === undefined) return;
      const { tokens, at } = oldest.value;
      const isFull = tokens + (now - at) * this.#perMs >= this.#burst;
      if (!isFull && this.#buckets.size < this.#maxKeys) return;
      this.#buckets.delete(oldest.key);
    }
  }
}
