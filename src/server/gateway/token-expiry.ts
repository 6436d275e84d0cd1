/** A peer is warned this long before its token expires, or at half of the life left if that is less. */
const WARN_BEFORE_MS = 60_000;
/** Deadlines that lie further ahead than this are looked at again on the way. */
const FAR_MS = 24 * 60 * 60_000;

/** Follows the expiry of one token on the wall clock. */
export class TokenExpiry {
  readonly #overAt: number;
  readonly #warnAt: number;
  #warned = false;

  /**
   * `exp` in seconds since 1970. A token that was taken within the leeway after its expiry holds until the
   * leeway ends; any other ends when it says.
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

  /** True once, when the time for a warning has come. */
  shouldWarn(wallNow: number): boolean {
    if (this.#warned || wallNow < this.#warnAt) return false;
    this.#warned = true;
    return true;
  }

  /** When to look again. */
  nextCheckAt(wallNow: number): number {
    return Math.min(this.#warned ? this.#overAt : this.#warnAt, wallNow + FAR_MS);
  }
}
