import { TokenBucket } from "../shared/token-bucket.ts";
import { BAD_MESSAGE_WINDOW_MS, FLOOD_SECONDS, MAX_BAD_MESSAGES } from "./limits.ts";

/** Bounds what one socket may send: so many messages a second, so few bad ones, and neither without end. */
export class MessageGuard {
  #perSecond: number;
  #rate: TokenBucket;
  /** What may still be sent over the rate before the socket is ended. */
  #flood: TokenBucket | undefined;
  #badAt: number[] | undefined;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#rate = new TokenBucket(perSecond, 2 * perSecond, now);
  }

  /** Allows another rate from now on. */
  setRate(perSecond: number, now: number): void {
    this.#perSecond = perSecond;
    this.#rate = new TokenBucket(perSecond, 2 * perSecond, now);
    this.#flood = undefined;
  }

  /** Whether one more message may be done. */
  admit(now: number): boolean {
    return this.#rate.take(now);
  }

  /** To be called for each message that was not admitted; true when that goes on without end. */
  isFlooding(now: number): boolean {
    this.#flood ??= new TokenBucket(this.#perSecond, FLOOD_SECONDS * this.#perSecond, now);
    return !this.#flood.take(now);
  }

  retryAfterMs(now: number): number {
    return this.#rate.waitMs(now);
  }

  /** To be called for each bad message; true when there were too many. */
  isTooBad(now: number): boolean {
    this.#badAt = (this.#badAt ?? []).filter((at) => at > now - BAD_MESSAGE_WINDOW_MS);
    this.#badAt.push(now);
    return this.#badAt.length >= MAX_BAD_MESSAGES;
  }
}
