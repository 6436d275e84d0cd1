import type { BudgetRates } from "./budget-rates.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { SharedUse } from "./shared-use.ts";
import type { SubscriptionCharges } from "./subscription-charges.ts";

/** How several processes share the budgets of users. */
export interface BudgetSharing {
  /** How many processes there are. */
  readonly workers: number;
  /** The others have to know that the user of this budget has taken so much here. */
  readonly tell: (budget: UserBudget, messages: number, bytes: number) => void;
}

/**
 * Allowances are whole numbers of units: 1000 for a message, so each millisecond refills as many as messages
 * are allowed a second.
 */
const MESSAGE = 1_000;
/** And 125 for a byte: each millisecond refills an eighth of the bytes allowed a second. */
const BYTE = 125;
const BYTE_UNITS_PER_MS = 1 / 8;

/**
 * What one user may send over all sockets, or one socket with an app token: messages and bytes. The budget
 * outlives the sockets until its allowances are full again, so that reconnecting gains nothing. It is used
 * for each message, so it counts in whole numbers and allocates nothing.
 */
export class UserBudget {
  /** Undefined for a socket with an app token, which has no user of its own. */
  readonly userId: string | undefined;
  /** How many sockets the user has. */
  sockets = 0;
  /** How many of them have bytes waiting; these share a limit, see SendQueue. */
  backlogged = 0;
  /** The rate of the socket, if it is one with an app token. */
  readonly socketRate: RateLimiter | undefined;
  /** Charges for the memory and the flushes of the user's subscriptions; undefined until there was one. */
  subscriptions: SubscriptionCharges | undefined;
  readonly #rates: BudgetRates;
  /** Undefined where there is no other process. */
  readonly #use: SharedUse | undefined;
  readonly #tell: BudgetSharing["tell"] | undefined;
  #messages: number;
  #bytes: number;
  #at: number;

  /**
   * `sharing`: has the other processes told what the user takes here. `socketRate`: only with an app token.
   */
  constructor(
    userId: string | undefined,
    rates: BudgetRates,
    now: number,
    sharing?: BudgetSharing,
    socketRate?: RateLimiter,
  ) {
    this.userId = userId;
    this.socketRate = socketRate;
    this.#use = sharing && new SharedUse(rates, sharing.workers, now);
    this.#tell = sharing?.tell;
    this.#rates = rates;
    this.#messages = rates.burstMessages * MESSAGE;
    this.#bytes = rates.burstBytes * BYTE;
    this.#at = Math.floor(now);
  }

  /** Takes one message of `bytes` bytes, or returns false and takes nothing. */
  admit(bytes: number, now: number): boolean {
    this.#refill(now);
    const cost = bytes * BYTE;
    if (this.#messages < MESSAGE || this.#bytes < cost) return false;
    this.#messages -= MESSAGE;
    this.#bytes -= cost;
    if (this.#use?.take(bytes, now)) {
      const untold = this.#use.untold();
      this.#tell?.(this, untold.messages, untold.bytes);
    }
    return true;
  }

  /** The user has taken so much at another process, perhaps more than there is: it is made up for later. */
  debit(messages: number, bytes: number, now: number): void {
    this.#refill(now);
    const { burstMessages, burstBytes } = this.#rates;
    this.#messages = Math.max(-burstMessages * MESSAGE, this.#messages - messages * MESSAGE);
    this.#bytes = Math.max(-burstBytes * BYTE, this.#bytes - bytes * BYTE);
    this.#use?.othersTake(now);
  }

  /** Called after a message that was not admitted. Returns the milliseconds until one of that size is. */
  retryAfterMs(bytes: number): number {
    const { messagesPerSecond, bytesPerSecond } = this.#rates;
    const forMessage = (MESSAGE - this.#messages) / messagesPerSecond;
    const forBytes = (bytes * BYTE - this.#bytes) / (bytesPerSecond * BYTE_UNITS_PER_MS);
    return Math.max(1, Math.ceil(Math.max(forMessage, forBytes)));
  }

  /** The time for which the allowed bytes equal `bytes`, in seconds. */
  secondsOf(bytes: number): number {
    return bytes / this.#rates.bytesPerSecond;
  }

  /** Whether a new budget would be the same. */
  isFull(now: number): boolean {
    this.#refill(now);
    const { burstMessages, burstBytes } = this.#rates;
    if (this.socketRate?.isFull(now) === false) return false;
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

/** The longest time until an empty budget is full again, in milliseconds. */
export function refillMs({
  messagesPerSecond,
  burstMessages,
  bytesPerSecond,
  burstBytes,
}: BudgetRates): number {
  return Math.ceil(1_000 * Math.max(burstMessages / messagesPerSecond, burstBytes / bytesPerSecond)) + 1;
}
