import { describe, expect, it } from "vitest";
import type { BudgetRates } from "../../../src/server/gateway/budget-rates.ts";
import { refillMs, UserBudget } from "../../../src/server/gateway/user-budget.ts";
import { Random } from "../../support/random.ts";

const RATES: BudgetRates = {
  messagesPerSecond: 200,
  burstMessages: 400,
  bytesPerSecond: 262_144,
  burstBytes: 524_288,
};

/**
 * The same, the slow and obvious way: whole milliseconds, one after the other, in exact fractions of a
 * message and byte.
 */
class NaiveBudget {
  readonly #rates: BudgetRates;
  #messages: bigint;
  #bytes: bigint;
  #at: number;

  constructor(rates: BudgetRates, now: number) {
    this.#rates = rates;
    this.#messages = BigInt(rates.burstMessages) * 1_000n;
    this.#bytes = BigInt(rates.burstBytes) * 1_000n;
    this.#at = Math.floor(now);
  }

  admit(bytes: number, now: number): boolean {
    for (; this.#at < Math.floor(now); this.#at++) {
      this.#messages = min(
        this.#messages + BigInt(this.#rates.messagesPerSecond),
        BigInt(this.#rates.burstMessages) * 1_000n,
      );
      this.#bytes = min(
        this.#bytes + BigInt(this.#rates.bytesPerSecond),
        BigInt(this.#rates.burstBytes) * 1_000n,
      );
    }
    if (this.#messages < 1_000n || this.#bytes < BigInt(bytes) * 1_000n) return false;
    this.#messages -= 1_000n;
    this.#bytes -= BigInt(bytes) * 1_000n;
    return true;
  }
}

const min = (a: bigint, b: bigint) => (a < b ? a : b);

describe("the budget of a user", () => {
  it.each<[string, BudgetRates]>([
    ["of the default settings", RATES],
    ["for large messages", { ...RATES, burstBytes: 16 * 1024 * 1024 }],
    ["of a slow app", { ...RATES, messagesPerSecond: 4, burstMessages: 8 }],
    [
      "of an app token",
      { messagesPerSecond: 5_000, burstMessages: 10_000, bytesPerSecond: 26_214_400, burstBytes: 52_428_800 },
    ],
  ])("%s admits the same as a naive one, and returns when the next message is possible", (_name, rates) => {
    const random = new Random(7);
    let now = 0.4;
    const budget = new UserBudget("alice", rates, now);
    const naive = new NaiveBudget(rates, now);
    let refused = 0;
    for (let step = 0; step < 4_000; step++) {
      now += random.oneIn(100) ? random.between(0, 3_000) : random.between(0, 8);
      const bytes = random.oneIn(20) ? random.below(rates.burstBytes + 1) : random.below(2_000);
      const isAdmitted = budget.admit(bytes, now);
      expect(isAdmitted).toBe(naive.admit(bytes, now));
      if (isAdmitted) continue;
      refused++;
      const retryAfterMs = budget.retryAfterMs(bytes);
      expect(retryAfterMs).toBeGreaterThan(0);
      if (!random.oneIn(3)) continue;
      // A millisecond earlier it would have been too early.
      expect(budget.admit(bytes, Math.floor(now) + retryAfterMs - 1)).toBe(false);
      expect(naive.admit(bytes, Math.floor(now) + retryAfterMs - 1)).toBe(false);
      now = Math.floor(now) + retryAfterMs;
      expect(budget.admit(bytes, now)).toBe(true);
      expect(naive.admit(bytes, now)).toBe(true);
    }
    expect(refused).toBeGreaterThan(100);
  });

  it("is full again after `refillMs`", () => {
    const budget = new UserBudget("alice", RATES, 0);
    expect(budget.isFull(0)).toBe(true);
    expect(budget.admit(RATES.burstBytes, 0)).toBe(true);
    while (budget.admit(0, 0));
    expect(budget.isFull(1_999)).toBe(false);
    expect(budget.isFull(refillMs(RATES))).toBe(true);
  });

  it("makes up later for what the user has taken at another process, up to a burst", () => {
    const budget = new UserBudget("alice", RATES, 0);
    budget.debit(RATES.burstMessages, 0, 0);
    expect([budget.admit(0, 0), budget.isFull(refillMs(RATES))]).toEqual([false, true]);
    budget.debit(100 * RATES.burstMessages, 100 * RATES.burstBytes, refillMs(RATES));
    expect(budget.isFull(2 * refillMs(RATES))).toBe(false);
    expect(budget.isFull(3 * refillMs(RATES))).toBe(true);
  });
});
