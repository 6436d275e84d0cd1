import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Admissions, BURST_CHECKS, ConnectRate } from "../../../src/server/gateway/admission.ts";

/** The same rule, worked out from all that was let in since the beginning. */
class NaiveRate {
  readonly #perSecond: number;
  readonly #in: { key: string; at: number; isSeldom: boolean }[] = [];

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  take(key: string, now: number): boolean {
    const all = this.#tokens(this.#perSecond, now, () => true);
    const seldomRate = Math.max(1, this.#perSecond / 100);
    const own = this.#tokens(seldomRate, now, (each) => each.key === key && each.isSeldom);
    const isOpen = all >= 1 + Math.floor(this.#perSecond / 2);
    const isIn = isOpen || (all >= 1 && own >= 1);
    if (isIn) this.#in.push({ key, at: now, isSeldom: own >= 1 });
    return isIn;
  }

  #tokens(rate: number, now: number, counts: (each: { key: string; isSeldom: boolean }) => boolean): number {
    let tokens = 2 * rate;
    let at = 0;
    const fill = (until: number) => {
      tokens = Math.min(2 * rate, tokens + ((until - at) * rate) / 1000);
      at = until;
    };
    for (const each of this.#in) {
      if (!counts(each)) continue;
      fill(each.at);
      tokens -= 1;
    }
    fill(now);
    return tokens;
  }
}

describe("the rate of connects", () => {
  it.each([1, 2, 8, 125, 1_000])(
    "equals a naive implementation of the same rule, at %i a second",
    (perSecond) => {
      const attempt = fc.record({
        key: fc.constantFrom("a", "a", "a", "a", "b", "c"),
        // Powers of two milliseconds, and rates that divide by them well: both work out the same numbers.
        pause: fc.constantFrom(0, 0, 0, 0, 8, 64, 1_024),
        times: fc.constantFrom(1, 1, 2, perSecond),
      });
      fc.assert(
        fc.property(fc.array(attempt, { maxLength: 15 }), (attempts) => {
          const rate = new ConnectRate(perSecond, 0);
          const naive = new NaiveRate(perSecond);
          let now = 0;
          for (const { key, pause, times } of attempts) {
            now += pause;
            for (let i = 0; i < Math.min(times, 150); i++) {
              expect(rate.take(key, now)).toBe(naive.take(key, now));
            }
          }
        }),
        { numRuns: 60, seed: 14 },
      );
    },
  );

  it("admits 40 of 40 connections of infrequent addresses while one address tries 1,780 a second", () => {
    const rate = new ConnectRate(1_000, 0);
    let attempts = 0;
    let ofAttacker = 0;
    let ofHonest = 0;
    for (let now = 0; now < 20_000; now++) {
      for (; attempts < 1.78 * now; attempts++) if (rate.take("attacker", now)) ofAttacker++;
      if (now >= 10_000 && now % 25 === 0 && ofHonest < 40 && rate.take(`honest ${now}`, now)) ofHonest++;
      if (now === 10_000 + 25 * 40) expect(ofHonest).toBe(40);
    }
    // The attacker has what nobody else wants, and no more.
    expect(ofAttacker).toBeGreaterThan(0.95 * 20_000);
    expect(ofAttacker).toBeLessThan(20_000 + 2_000);
  });

  it("lets one address use the whole rate, except the reserve for others", () => {
    const rate = new ConnectRate(1_000, 0);
    let burst = 0;
    while (rate.take("one", 0)) burst++;
    expect(burst).toBe(1_500);
    expect(rate.waitMs("one", 0)).toBe(1);
    expect(rate.waitMs("another", 0)).toBe(0);
    let later = 0;
    for (let now = 1; now <= 10_000; now++) while (rate.take("one", now)) later++;
    expect(later).toBe(10_000);
  });

  it("remembers only addresses that connected in the last two seconds", () => {
    const rate = new ConnectRate(1_000, 0);
    for (let i = 0; i < 100_000; i++) rate.take(`address ${i}`, i);
    expect(rate.addresses).toBeLessThan(1_000);
  });
});

describe("the checks of signatures for an address", () => {
  const limits = { maxConnections: 100, maxConnectionsPerAddress: 100, connectsPerSecond: 1_000 };
  const admitted = (admissions: Admissions, address: string) => {
    const admission = admissions.admit(address, 0);
    if (!admission.ok) throw new Error(admission.refusal);
    return admission.checkBudget(0);
  };

  it("are limited for all of its connections together, but for those of valid tokens", () => {
    const admissions = new Admissions(limits, 0);
    const [one, same, other] = ["10.0.0.1", "10.0.0.1", "10.0.0.2"].map((each) => admitted(admissions, each));
    for (let i = 0; i < 10 * BURST_CHECKS; i++) {
      expect(one!.takeChecks(3)).toBe(true);
      one!.returnChecks(3);
    }
    for (let left = BURST_CHECKS; left > 0; left -= 2)
      expect((left % 4 ? one : same)!.takeChecks(2)).toBe(true);
    expect([one!.takeChecks(1), same!.takeChecks(1), other!.takeChecks(1)]).toEqual([false, false, true]);
  });

  it("of a token that is tried with very many keys are let in once the budget is full", () => {
    const budget = admitted(new Admissions(limits, 0), "10.0.0.1");
    expect([budget.takeChecks(10 * BURST_CHECKS), budget.takeChecks(1)]).toEqual([true, false]);
  });
});
