interface Bucket {
  tokens: number;
  /** When `tokens` was right. */
  at: number;
}

/**
 * A token bucket for each key, `perSecond` with a burst of `burst`. A key without an entry has a full bucket,
 * so an entry goes as soon as its bucket would be full again. At most `maxKeys` entries are kept; beyond that
 * the key that took nothing for longest starts anew.
 */
export class KeyedBuckets {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #maxKeys: number;
  /** The key that took last comes last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, burst: number, maxKeys: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token of the key, or as many as are asked for, or returns false and takes none. */
  take(key: string, now: number, tokens = 1): boolean {
    this.#drop(now);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) bucket = { tokens: this.#burst, at: now };
    else this.#refill(bucket, now);
    if (bucket.tokens < tokens) return false;
    bucket.tokens -= tokens;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    return true;
  }

  /** Puts back a token that the key has taken. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#burst, bucket.tokens + 1);
  }

  /** Milliseconds until the key will have a token; 0 if it has one. */
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

  /** Two entries go for each that may come, so what is full again does not pile up. */
  #drop(now: number): void {
    for (let i = 0; i < 2; i++) {
      const [oldest] = this.#buckets;
      if (oldest === undefined) return;
      const [key, bucket] = oldest;
      const isFull = bucket.tokens + (now - bucket.at) * this.#perMs >= this.#burst;
      if (!isFull && this.#buckets.size < this.#maxKeys) return;
      this.#buckets.delete(key);
    }
  }
}
