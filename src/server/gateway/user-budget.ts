import type { SubscriptionCharges } from "./subscription-charges.ts";

/** What may be sent in a time; the burst is what may be sent at once after a quiet time. */
export interface BudgetRates {
  readonly messagesPerSecond: number;
  readonly burstMessages: number;
  /** A multiple of 8, so that every millisecond brings a whole number of units. */
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
}

/**
 * Allowances are whole numbers of units: 1000 a message, as many come back each millisecond as messages a
 * second.
 */
const MESSAGE = 1_000;
/** And 125 a byte: an eighth of the bytes a second comes back each millisecond. */
const BYTE = 125;
const BYTE_UNITS_PER_MS = 1 / 8;

/**
 * What one user may cost over all sockets, or one socket with an app token: messages and bytes. It outlives
 * the sockets until its allowances are full again, so that nobody gains by connecting anew. It is asked for
 * each message, so it counts in whole numbers, and allocates nothing.
 */
export class UserBudget {
  /** undefined for a socket with an app token, which has no user of its own. */
  readonly userId: string | undefined;
  /** Sockets that the user has at this moment. */
  sockets = 0;
  /** How many of them have bytes waiting: they share a bound, see SendQueue. */
  backlogged = 0;
  /** What the user's subscriptions keep, and what their flushes use up; undefined until there was one. */
  subscriptions: SubscriptionCharges | undefined;
  readonly #rates: BudgetRates;
  #messages: number;
  #bytes: number;
  #at: number;

  constructor(userId: string | undefined, rates: BudgetRates, now: number) {
    this.userId = userId;
    this.#rates = rates;
    this.#messages = rates.burstMessages * MESSAGE;
    this.#bytes = rates.burstBytes * BYTE;
    this.#at = Math.floor(now);
  }

  /** Takes one message of so many bytes, or returns false and takes nothing. */
  admit(bytes: number, now: number): boolean {
    this.#refill(now);
    const cost = bytes * BYTE;
    if (this.#messages < MESSAGE || this.#bytes < cost) return false;
    this.#messages -= MESSAGE;
    this.#bytes -= cost;
    return true;
  }

  /** To be called after a message that was not admitted: how long until one of that size will be. */
  retryAfterMs(bytes: number): number {
    const { messagesPerSecond, bytesPerSecond } = this.#rates;
    const forMessage = (MESSAGE - this.#messages) / messagesPerSecond;
    const forBytes = (bytes * BYTE - this.#bytes) / (bytesPerSecond * BYTE_UNITS_PER_MS);
    return Math.max(1, Math.ceil(Math.max(forMessage, forBytes)));
  }

  /** How much time's worth of the allowed bytes a message takes. */
  secondsOf(bytes: number): number {
    return bytes / this.#rates.bytesPerSecond;
  }

  /** Whether a fresh budget would be the same. */
  isFull(now: number): boolean {
    this.#refill(now);
    const { burstMessages, burstBytes } = this.#rates;
    return this.#messages === burstMessages * MESSAGE && this.#bytes === burstBytes * BYTE;
  }

  #refill(now: number): void {
    const at = Math.floor(now);
    const elapsed = at - this.#at;
    if (elapsed <= 0) return;
    const { messagesPerSecond, burstMessages, bytesPerSecond, burstBytes } = this.#rates;
    this.#at = at;
    this.#messages = Math.min(this.#messages + elapsed * messagesPerSecond, burstMessages * MESSAGE);
    const units = elapsed * bytesPerSecond * BYTE_UNITS_PER_MS;
    this.#bytes = Math.min(this.#bytes + units, burstBytes * BYTE);
  }
}

/** How long an empty budget takes to be full again, at most. */
export function refillMs({
  messagesPerSecond,
  burstMessages,
  bytesPerSecond,
  burstBytes,
}: BudgetRates): number {
  return Math.ceil(1_000 * Math.max(burstMessages / messagesPerSecond, burstBytes / bytesPerSecond)) + 1;
}
