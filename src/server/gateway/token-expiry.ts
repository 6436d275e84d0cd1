/**
 * A client is warned this long before its token expires, or at half of the remaining time if that is less.
 */
const WARN_BEFORE_MS = 60_000;
/** A deadline further ahead than this is checked again on the way. */
const FAR_MS = 24 * 60 * 60_000;

/** Tracks the expiry of one token on the wall clock. Times are in milliseconds since 1970. */
export class TokenExpiry {
  readonly #overAt: number;
  readonly #warnAt: number;
  #warned = false;

  /**
   * `exp`: seconds since 1970. A token that was accepted within the leeway after its expiry is valid until
   * the leeway ends; any other until `exp`.
   */
  constructor(exp: number, wallNow: number, leewayS: number) {
    const expMs = exp * 1000;
    this.#overAt = expMs > wallNow ? expMs : expMs + leewayS * 1000;
    this.#warnAt = this.#overAt - Math.min(WARN_BEFORE_MS, (this.#overAt - wallNow) / 2);
  }

  leftMs(wallNow: number): number {
    return Math.max(0, Math.round(this.#overAt - wallNow));
  }

  isOver(wallNow: number): boolean {
    return wallNow >= this.#overAt;
  }

  /** Returns true once, when it is time for the warning. */
  shouldWarn(wallNow: number): boolean {
    if (this.#warned || wallNow < this.#warnAt) return false;
    this.#warned = true;
    return true;
  }

  /** When to check again. */
  nextCheckAt(wallNow: number): number {
    return Math.min(this.#warned ? this.#overAt : this.#warnAt, wallNow + FAR_MS);
  }
}
