/**
 * Allows `perSecond` events a second, and up to `burst` at once after a quiet time. Times are in
 * milliseconds.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes one token, or returns false and takes none. */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes tokens that were used elsewhere, also more than there are: they are made up for later. */
  debit(count: number, now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(-this.#burst, this.#tokens - count);
  }

  /** Whether `count` tokens are available; takes none. */
  has(count: number, now: number): boolean {
    this.#refill(now);
    return this.#tokens >= count;
  }

  /** Milliseconds until `count` tokens are available; 0 if they are. */
  waitMs(now: number, count = 1): number {
    this.#refill(now);
    return this.#tokens >= count ? 0 : Math.ceil((count - this.#tokens) / this.#perMs);
  }

  #refill(now: number): void {
    const gained = (now - this.#at) * this.#perMs;
    this.#at = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
  }
}
