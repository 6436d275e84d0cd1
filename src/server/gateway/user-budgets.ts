import { LinkedMap } from "../../core/collections/linked-map.ts";
import type { BudgetRates } from "./budget-rates.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import {
  APP_TOKEN_FACTOR,
  BURST_SECONDS,
  FLOOD_SECONDS,
  USER_BYTES_PER_SECOND,
  USER_RATE_FACTOR,
} from "./gateway-config.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { SHARED, type SharedLimits } from "./shared-limits.ts";
import { type BudgetSharing, refillMs, UserBudget } from "./user-budget.ts";

type RateLimits = Pick<GatewayConfig, "messagesPerSecond" | "maxMessageBytes">;

/**
 * The budgets of the users of one app. A user has a budget while they have a socket, for as long afterwards
 * as its allowances are not full, and while they are charged for an idle view. Those of sockets with an app
 * token rest likewise, and the next such socket takes one over: reconnecting gains nothing there either.
 */
export class UserBudgets {
  readonly #userRates: BudgetRates;
  readonly #appTokenRates: BudgetRates;
  readonly #refillMs: number;
  readonly #appTokenRefillMs: number;
  readonly #appId: string;
  readonly #shared: SharedLimits | undefined;
  readonly #sharing: BudgetSharing | undefined;
  readonly #byUser = new Map<string, UserBudget>();
  /** Budgets without a socket, with the time at which each is full again, the first one in front. */
  readonly #resting = new LinkedMap<UserBudget, number>();
  /** The same for the budgets of sockets with an app token. */
  readonly #restingOfAppTokens = new LinkedMap<UserBudget, number>();

  /** `shared`: what other processes count, if there are any. */
  constructor(limits: RateLimits, appId = "", shared?: SharedLimits) {
    this.#appId = appId;
    this.#shared = shared;
    this.#sharing = shared && {
      workers: shared.workers,
      tell: ({ userId = "" }, messages, bytes) => {
        shared.take(SHARED.messagesOf(appId, userId), messages);
        shared.take(SHARED.bytesOf(appId, userId), bytes);
      },
    };
    const { messagesPerSecond } = limits;
    this.#userRates = ratesOf(USER_RATE_FACTOR * messagesPerSecond, USER_BYTES_PER_SECOND, limits);
    this.#appTokenRates = ratesOf(
      APP_TOKEN_FACTOR * messagesPerSecond,
      APP_TOKEN_FACTOR * USER_BYTES_PER_SECOND,
      limits,
    );
    this.#refillMs = refillMs(this.#userRates);
    this.#appTokenRefillMs = Math.max(refillMs(this.#appTokenRates), 1_000 * FLOOD_SECONDS);
  }

  /** How many budgets there are; zero once every client has left and enough time has passed. */
  get size(): number {
    return this.#byUser.size + this.#restingOfAppTokens.size;
  }

  /** The budget of a user, for one more socket. `release` must be called when the socket has gone. */
  acquire(userId: string, now: number): UserBudget {
    const budget = this.#of(userId, now);
    this.#resting.delete(budget);
    budget.sockets++;
    this.#shared?.hold(SHARED.socketsOf(this.#appId, userId), 1);
    return budget;
  }

  /** How many sockets the user has, at all processes. */
  socketsOf({ userId, sockets }: UserBudget): number {
    if (userId === undefined || this.#shared === undefined) return sockets;
    return sockets + this.#shared.heldByOthers(SHARED.socketsOf(this.#appId, userId));
  }

  /** A user has taken so much at another process. */
  takenElsewhere(userId: string, messages: number, bytes: number, now: number): void {
    const budget = this.#of(userId, now);
    budget.debit(messages, bytes, now);
    // It outlives sockets of other processes as it does those of this one.
    if (budget.sockets === 0 && !this.#resting.has(budget)) this.#resting.set(budget, now + this.#refillMs);
  }

  /**
   * A budget for a socket with an app token, which is not shared. It is that of a socket which has gone,
   * while there is one that is not full again.
   */
  ofAppToken(now: number): UserBudget {
    const resting = this.#restingOfAppTokens.first?.key;
    if (resting === undefined) {
      const { messagesPerSecond } = this.#appTokenRates;
      const socketRate = new RateLimiter(messagesPerSecond, now);
      return new UserBudget(undefined, this.#appTokenRates, now, undefined, socketRate);
    }
    this.#restingOfAppTokens.delete(resting);
    resting.socketRate?.takeOver(now);
    return resting;
  }

  /** A socket of the user, or the socket with an app token, has gone. */
  release(budget: UserBudget, now: number): void {
    if (budget.userId === undefined) {
      if (!budget.isFull(now)) this.#restingOfAppTokens.set(budget, now + this.#appTokenRefillMs);
      return;
    }
    this.#shared?.hold(SHARED.socketsOf(this.#appId, budget.userId), -1);
    if (--budget.sockets > 0) return;
    if (isUnused(budget, now)) this.#byUser.delete(budget.userId);
    else this.#resting.set(budget, now + this.#refillMs);
  }

  /** Removes the budgets that are full and charged with nothing. */
  expire(now: number): void {
    for (const budget of dueIn(this.#restingOfAppTokens, now)) this.#restingOfAppTokens.delete(budget);
    for (const budget of dueIn(this.#resting, now)) {
      this.#resting.delete(budget);
      if (isUnused(budget, now)) this.#byUser.delete(budget.userId!);
      // Charged for idle views. An app has few of those, so the budget is checked again later.
      else this.#resting.set(budget, now + this.#refillMs);
    }
  }

  #of(userId: string, now: number): UserBudget {
    let budget = this.#byUser.get(userId);
    if (budget === undefined) {
      budget = new UserBudget(userId, this.#userRates, now, this.#sharing);
      this.#byUser.set(userId, budget);
    }
    return budget;
  }

  /** When `expire` next has something to do; undefined if never. */
  nextDueAt(): number | undefined {
    const due = this.#resting.first?.value;
    const dueOfAppTokens = this.#restingOfAppTokens.first?.value;
    return due === undefined || dueOfAppTokens === undefined
      ? (due ?? dueOfAppTokens)
      : Math.min(due, dueOfAppTokens);
  }
}

/** The budgets whose time is over. Each has to be removed before the next one is read. */
function* dueIn(resting: LinkedMap<UserBudget, number>, now: number): Generator<UserBudget> {
  for (let next = resting.first; next && next.value <= now; next = resting.first) yield next.key;
}

function isUnused(budget: UserBudget, now: number): boolean {
  return budget.isFull(now) && (budget.subscriptions?.isEmpty ?? true);
}

/** After a quiet time any message of an allowed size is possible, so the burst is at least that size. */
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
