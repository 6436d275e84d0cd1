import type { GatewayConfig } from "./gateway-config.ts";
import {
  APP_TOKEN_FACTOR,
  BURST_SECONDS,
  USER_BYTES_PER_SECOND,
  USER_RATE_FACTOR,
} from "./gateway-config.ts";
import { type BudgetRates, refillMs, UserBudget } from "./user-budget.ts";

type RateLimits = Pick<GatewayConfig, "messagesPerSecond" | "maxMessageBytes">;

/**
 * The budgets of the users of one app. There is one for each user who has a socket, or had one so shortly ago
 * that the allowances are not full again, or is charged for a view that nobody watches any more.
 */
export class UserBudgets {
  readonly #userRates: BudgetRates;
  readonly #appTokenRates: BudgetRates;
  readonly #refillMs: number;
  readonly #byUser = new Map<string, UserBudget>();
  /** Budgets without a socket, and by when each is full again, the first to be full first. */
  readonly #resting = new Map<UserBudget, number>();

  constructor(limits: RateLimits) {
    const { messagesPerSecond } = limits;
    this.#userRates = ratesOf(USER_RATE_FACTOR * messagesPerSecond, USER_BYTES_PER_SECOND, limits);
    this.#appTokenRates = ratesOf(
      APP_TOKEN_FACTOR * messagesPerSecond,
      APP_TOKEN_FACTOR * USER_BYTES_PER_SECOND,
      limits,
    );
    this.#refillMs = refillMs(this.#userRates);
  }

  /** Zero when everybody has left and enough time has passed. */
  get size(): number {
    return this.#byUser.size;
  }

  /** The budget of a user, for one more socket. To be released when the socket is gone. */
  acquire(userId: string, now: number): UserBudget {
    let budget = this.#byUser.get(userId);
    if (budget === undefined) {
      budget = new UserBudget(userId, this.#userRates, now);
      this.#byUser.set(userId, budget);
    }
    this.#resting.delete(budget);
    budget.sockets++;
    return budget;
  }

  /** One for a socket with an app token, which shares it with nobody. */
  ofAppToken(now: number): UserBudget {
    return new UserBudget(undefined, this.#appTokenRates, now);
  }

  /** A socket of the user is gone. */
  release(budget: UserBudget, now: number): void {
    if (budget.userId === undefined || --budget.sockets > 0) return;
    if (isUnused(budget, now)) this.#byUser.delete(budget.userId);
    else this.#resting.set(budget, now + this.#refillMs);
  }

  /** Lets go of the budgets that are full and charged with nothing. */
  expire(now: number): void {
    for (const [budget, due] of this.#resting) {
      if (due > now) return;
      this.#resting.delete(budget);
      if (isUnused(budget, now)) this.#byUser.delete(budget.userId!);
      // Charged for idle views: there are few of those in an app, so they are looked at again.
      else this.#resting.set(budget, now + this.#refillMs);
    }
  }

  /** When `expire` next has something to do; undefined if never. */
  nextDueAt(): number | undefined {
    const [due] = this.#resting.values();
    return due;
  }
}

function isUnused(budget: UserBudget, now: number): boolean {
  return budget.isFull(now) && (budget.subscriptions?.isEmpty ?? true);
}

/** Any message that is not too large is possible after a quiet time, so the burst is at least that. */
function ratesOf(
  messagesPerSecond: number,
  bytesPerSecond: number,
  { maxMessageBytes }: RateLimits,
): BudgetRates {
  return {
    messagesPerSecond,
    burstMessages: BURST_SECONDS * messagesPerSecond,
    bytesPerSecond,
    burstBytes: Math.max(BURST_SECONDS * bytesPerSecond, maxMessageBytes),
  };
}
