import { BAD_MESSAGE_WINDOW_MS, FLOOD_SECONDS, MAX_BAD_MESSAGES } from "./limits.ts";

/** After a quiet time a socket may send as much at once as otherwise in this time. */
const BURST_MS = 2_000;
const FLOOD_MS = FLOOD_SECONDS * 1_000;
/** Times add up with errors of far less than this. */
const ROUNDING_MS = 0.001;

/**
 * Bounds what one socket may send: so many messages a second, so few bad ones, and neither without end. There is one for each
 * socket, so of each token bucket it keeps no more than a number: the time at which it will be full again.
 */
export class MessageGuard {
  #perSecond: number;
  #fullAt: number;
  /** The same for what may be sent over the rate before the socket is ended. */
  #floodFullAt: number;
  #badAt: number[] | undefined;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#fullAt = now;
    this.#floodFullAt = now;
  }

  /** Allows another rate from now on. */
  setRate(perSecond: number, now: number): void {
    this.#perSecond = perSecond;
    this.#fullAt = now;
    this.#floodFullAt = now;
  }

  /** Whether one more message may be done. */
  admit(now: number): boolean {
    const fullAt = this.#after(this.#fullAt, now);
    if (fullAt > now + BURST_MS + ROUNDING_MS) return false;
    this.#fullAt = fullAt;
    return true;
  }

  /** To be called for each message that was not admitted; true when that goes on without end. */
  isFlooding(now: number): boolean {
    const fullAt = this.#after(this.#floodFullAt, now);
    if (fullAt > now + FLOOD_MS + ROUNDING_MS) return true;
    this.#floodFullAt = fullAt;
    return false;
  }

  retryAfterMs(now: number): number {
    return Math.max(0, Math.ceil(this.#after(this.#fullAt, now) - now - BURST_MS));
  }

  /** To be called for each bad message; true when there were too many. */
  isTooBad(now: number): boolean {
    this.#badAt = (this.#badAt ?? []).filter((at) => at > now - BAD_MESSAGE_WINDOW_MS);
    this.#badAt.push(now);
    return this.#badAt.length >= MAX_BAD_MESSAGES;
  }

  /** When a bucket will be full after one more message. */
  #after(fullAt: number, now: number): number {
    return Math.max(fullAt, now) + 1_000 / this.#perSecond;
  }
}
