import { BAD_MESSAGE_WINDOW_MS, BURST_SECONDS, FLOOD_SECONDS, MAX_BAD_MESSAGES } from "./gateway-config.ts";

/**
 * Allowances are in thousandths of a message: each millisecond as many come back as messages are allowed a
 * second.
 */
const MESSAGE = 1_000;

/**
 * Bounds what one socket may send: so many messages a second, so few bad ones, and neither without end. There
 * is one for each socket, and it is asked for each message, so it counts in whole numbers: V8 keeps others
 * beside the object.
 */
export class RateLimiter {
  /** In whole milliseconds. */
  lastHeard: number;
  #perSecond: number;
  #allowance: number;
  /** What may be sent over the rate before the socket is ended; undefined until something was. */
  #floodAllowance: number | undefined;
  #floodedAt = 0;
  #badAt: number[] | undefined;

  constructor(perSecond: number, now: number) {
    this.lastHeard = Math.floor(now);
    this.#perSecond = perSecond;
    this.#allowance = this.#maxAllowance(BURST_SECONDS);
  }

  /** Allows another rate from now on. */
  setRate(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#allowance = this.#maxAllowance(BURST_SECONDS);
    this.#floodAllowance = undefined;
  }

  /** To be called for whatever comes: whether one more message may be done. */
  admit(now: number): boolean {
    const at = Math.floor(now);
    const gained = (at - this.lastHeard) * this.#perSecond;
    const allowance = Math.min(this.#allowance + gained, this.#maxAllowance(BURST_SECONDS));
    this.lastHeard = at;
    const isAllowed = allowance >= MESSAGE;
    this.#allowance = isAllowed ? allowance - MESSAGE : allowance;
    return isAllowed;
  }

  /**
   * To be called for each message that was not admitted; true when that goes on without end. A large one
   * counts for as many messages as may be sent in the time that its bytes take.
   */
  isFlooding(now: number, secondsOfBytes = 0): boolean {
    const at = Math.floor(now);
    const max = this.#maxAllowance(FLOOD_SECONDS);
    const gained = (at - this.#floodedAt) * this.#perSecond;
    const allowance = Math.min((this.#floodAllowance ?? max) + gained, max);
    this.#floodedAt = at;
    const isFlooding = allowance < MESSAGE;
    const cost = Math.max(MESSAGE, Math.floor(secondsOfBytes * this.#maxAllowance(1)));
    this.#floodAllowance = isFlooding ? allowance : allowance - cost;
    return isFlooding;
  }

  /** To be called after a message that was not admitted: how long until one will be. */
  retryAfterMs(): number {
    return Math.ceil((MESSAGE - this.#allowance) / this.#perSecond);
  }

  /** To be called for each bad message; true when there were too many. */
  isTooBad(now: number): boolean {
    this.#badAt = (this.#badAt ?? []).filter((at) => at > now - BAD_MESSAGE_WINDOW_MS);
    this.#badAt.push(now);
    return this.#badAt.length >= MAX_BAD_MESSAGES;
  }

  #maxAllowance(seconds: number): number {
    return seconds * MESSAGE * this.#perSecond;
  }
}
