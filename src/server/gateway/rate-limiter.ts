import { BAD_MESSAGE_WINDOW_MS, BURST_SECONDS, FLOOD_SECONDS, MAX_BAD_MESSAGES } from "./gateway-config.ts";

/**
 * Allowances are in thousandths of a message: each millisecond refills as many as messages are allowed a
 * second.
 */
const MESSAGE = 1_000;

/**
 * Limits what one socket may send: the rate of messages, the number of bad ones, and how long it may exceed
 * the rate. Every socket has one, and uses it for each message, so it counts in whole numbers: V8 stores
 * other numbers outside the object. With an app token it outlives the socket; see UserBudgets.
 */
export class RateLimiter {
  /** When the socket last sent something, in whole milliseconds. */
  lastHeard: number;
  #perSecond: number;
  #allowance: number;
  /**
   * What may be sent beyond the rate before the socket is ended; undefined while the rate was never exceeded.
   */
  #floodAllowance: number | undefined;
  #floodedAt = 0;
  #badAt: number[] | undefined;

  constructor(perSecond: number, now: number) {
    this.lastHeard = Math.floor(now);
    this.#perSecond = perSecond;
    this.#allowance = this.#maxAllowance(BURST_SECONDS);
  }

  /** Sets another rate. */
  setRate(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#allowance = this.#maxAllowance(BURST_SECONDS);
    this.#floodAllowance = undefined;
  }

  /** Another socket, which was heard just now, goes on with the rate of one that has gone. */
  takeOver(now: number): void {
    this.#allowance = this.#refilled(now);
    this.lastHeard = Math.floor(now);
    this.#badAt = undefined;
  }

  /** Whether a new limiter would let through the same. */
  isFull(now: number): boolean {
    return this.#floodAllowance === undefined && this.#refilled(now) === this.#maxAllowance(BURST_SECONDS);
  }

  /** Called for each message and control frame. Returns whether one more may be handled. */
  admit(now: number): boolean {
    const allowance = this.#refilled(now);
    this.lastHeard = Math.floor(now);
    const isAllowed = allowance >= MESSAGE;
    this.#allowance = isAllowed ? allowance - MESSAGE : allowance;
    return isAllowed;
  }

  /**
   * Called for each message that was not admitted. Returns true once that has gone on for too long. A large
   * message counts for as many messages as may be sent in `secondsOfBytes`, the time that its bytes take.
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

  /** Called after a message that was not admitted. Returns the milliseconds until one is. */
  retryAfterMs(): number {
    return Math.ceil((MESSAGE - this.#allowance) / this.#perSecond);
  }

  /** Called for each bad message. Returns true once there were too many. */
  isTooBad(now: number): boolean {
    this.#badAt = (this.#badAt ?? []).filter((at) => at > now - BAD_MESSAGE_WINDOW_MS);
    this.#badAt.push(now);
    return this.#badAt.length >= MAX_BAD_MESSAGES;
  }

  #refilled(now: number): number {
    const gained = (Math.floor(now) - this.lastHeard) * this.#perSecond;
    return Math.min(this.#allowance + gained, this.#maxAllowance(BURST_SECONDS));
  }

  #maxAllowance(seconds: number): number {
    return seconds * MESSAGE * this.#perSecond;
  }
}
