import { describe, expect, it } from "vitest";
import type { BudgetRates } from "../../../src/server/gateway/budget-rates.ts";
import { refillMs, type UserBudget } from "../../../src/server/gateway/user-budget.ts";
import { UserBudgets } from "../../../src/server/gateway/user-budgets.ts";
import { Random } from "../../support/random.ts";

const RATES: BudgetRates = {
  messagesPerSecond: 200,
  burstMessages: 400,
  bytesPerSecond: 262_144,
  burstBytes: 524_288,
};

describe("the budgets of an app", () => {
  const make = (maxMessageBytes = 262_144) => new UserBudgets({ messagesPerSecond: 50, maxMessageBytes });

  it("are shared by all sockets of a user", () => {
    const budgets = make();
    const first = budgets.acquire("alice", 0);
    expect(budgets.acquire("alice", 0)).toBe(first);
    expect(first.sockets).toBe(2);
    expect(budgets.acquire("bob", 0)).not.toBe(first);
  });

  it("have four times a socket's messages, and bursts of twice that", () => {
    const budget = make().acquire("alice", 0);
    let done = 0;
    while (budget.admit(1, 0)) done++;
    expect(done).toBe(400);
    while (budget.admit(1, 1_000)) done++;
    expect(done).toBe(600);
  });

  it("outlive the sockets until they are full, so that reconnecting gains nothing", () => {
    const budgets = make();
    const budget = budgets.acquire("alice", 0);
    while (budget.admit(0, 0));
    budgets.release(budget, 0);
    expect(budgets.acquire("alice", 1)).toBe(budget);
    expect(budget.admit(0, 1)).toBe(false);
    budgets.release(budget, 10);
    budgets.expire(2_000);
    expect(budgets.size).toBe(1);
    const due = budgets.nextDueAt()!;
    expect(due).toBeLessThanOrEqual(2_100);
    budgets.expire(due);
    expect([budgets.size, budgets.nextDueAt()]).toEqual([0, undefined]);
  });

  it("are removed at once if nothing was sent", () => {
    const budgets = make();
    budgets.release(budgets.acquire("alice", 0), 5);
    expect([budgets.size, budgets.nextDueAt()]).toEqual([0, undefined]);
  });

  it("allow any message that is not too large, after a quiet time", () => {
    for (const maxMessageBytes of [256, 262_144, 16 * 1024 * 1024]) {
      const budgets = make(maxMessageBytes);
      expect(budgets.acquire("alice", 0).admit(maxMessageBytes, 0)).toBe(true);
      expect(budgets.ofAppToken(0).admit(maxMessageBytes, 0)).toBe(true);
    }
  });

  it("of app tokens are a socket's own, a hundred times a socket's", () => {
    const budgets = make();
    const budget = budgets.ofAppToken(0);
    expect(budgets.ofAppToken(0)).not.toBe(budget);
    expect(budget.admit(200 * 262_144, 0)).toBe(true);
    expect(budget.admit(1, 0)).toBe(false);
    let done = 1;
    while (budget.admit(0, 0)) done++;
    expect(done).toBe(10_000);
  });

  it("of app tokens outlive the socket until they are full, and the next such socket takes one over", () => {
    const budgets = make();
    const [budget, another] = [budgets.ofAppToken(0), budgets.ofAppToken(0)];
    budget.admit(0, 0);
    budgets.release(budget, 0);
    expect(budgets.ofAppToken(0)).toBe(budget);
    // There is none left to take over, and one that is full is as good as a new one.
    budgets.release(another, 0);
    expect(budgets.ofAppToken(0)).not.toBe(another);
    // The rate of the socket is not full either.
    while (budget.socketRate!.admit(0));
    budget.socketRate!.isFlooding(0);
    budgets.release(budget, 1_000);
    expect([budgets.size, budgets.nextDueAt()]).toEqual([1, 7_000]);
    budgets.expire(6_999);
    expect(budgets.size).toBe(1);
    budgets.expire(7_000);
    expect([budgets.size, budgets.nextDueAt()]).toEqual([0, undefined]);
  });

  it("of users and app tokens end in the order of their times", () => {
    const budgets = make();
    const [user, app] = [budgets.acquire("alice", 0), budgets.ofAppToken(0)];
    for (const budget of [user, app]) while (budget.admit(0, 0));
    budgets.release(app, 0);
    expect(budgets.nextDueAt()).toBe(6_000);
    budgets.release(user, 0);
    expect(budgets.nextDueAt()).toBe(2_001);
    budgets.expire(2_001);
    expect(budgets.nextDueAt()).toBe(6_000);
  });

  it("come and go in any order, and none is left", () => {
    const random = new Random(3);
    const budgets = make();
    const held: UserBudget[] = [];
    let now = 0;
    for (let step = 0; step < 5_000; step++) {
      now += random.below(30);
      if (random.oneIn(2)) held.push(budgets.acquire(`user-${random.below(50)}`, now));
      else if (held.length > 0) budgets.release(held.splice(random.below(held.length), 1)[0]!, now);
      if (held.length > 0) random.pick(held).admit(random.below(100_000), now);
      budgets.expire(now);
      expect(budgets.size).toBeGreaterThanOrEqual(new Set(held).size);
    }
    for (const budget of held) budgets.release(budget, now);
    budgets.expire(now + refillMs(RATES));
    expect([budgets.size, budgets.nextDueAt()]).toEqual([0, undefined]);
  });
});
