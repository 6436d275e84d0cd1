import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedBuckets } from "../../../src/core/collections/keyed-buckets.ts";

/** A bucket for each key for ever, worked out from all that was taken since the beginning. */
class NaiveBuckets {
  readonly perSecond: number;
  readonly burst: number;
  readonly #taken = new Map<string, number[]>();

  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond;
    this.burst = burst;
  }

  tokens(key: string, now: number): number {
    let tokens = this.burst;
    let at = 0;
    for (const time of this.#taken.get(key) ?? []) {
      tokens = Math.min(this.burst, tokens + ((time - at) * this.perSecond) / 1000) - 1;
      at = time;
    }
    return Math.min(this.burst, tokens + ((now - at) * this.perSecond) / 1000);
  }

  take(key: string, now: number): boolean {
    if (this.tokens(key, now) < 1) return false;
    this.#taken.set(key, [...(this.#taken.get(key) ?? []), now]);
    return true;
  }
}

describe("buckets by key", () => {
  it("admit the same as a bucket kept for each key for ever, and keep none that is full", () => {
    const key = fc.constantFrom("a", "b", "c", "d");
    // Eighths of a token a millisecond are exact, so both work out the same.
    const step = fc.oneof({ weight: 3, arbitrary: key }, { weight: 1, arbitrary: fc.nat({ max: 100 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        const buckets = new KeyedBuckets(125, 3, 100);
        const naive = new NaiveBuckets(125, 3);
        let now = 0;
        for (const each of steps) {
          if (typeof each === "number") {
            now += each;
            continue;
          }
          expect(buckets.take(each, now)).toBe(naive.take(each, now));
          const wait = buckets.waitMs(each, now);
          expect(naive.tokens(each, now + wait)).toBeGreaterThanOrEqual(1);
          if (wait > 0) expect(naive.tokens(each, now + wait - 1)).toBeLessThan(1);
        }
        now += 3 * 8;
        for (const each of ["e", "f", "g"]) buckets.take(each, now);
        expect(buckets.size).toBe(3);
      }),
      { numRuns: 500, seed: 14 },
    );
  });

  it("keep a limited number of keys, and drop the quietest first", () => {
    const buckets = new KeyedBuckets(1, 2, 10);
    for (let i = 0; i < 1_000; i++) {
      buckets.take(`key ${i}`, 0);
      expect(buckets.size).toBeLessThanOrEqual(10);
    }
    expect(buckets.take("key 999", 0)).toBe(true);
    expect(buckets.take("key 999", 0)).toBe(false);
  });

  it("drop the key that took nothing for longest, however often the others took", () => {
    const buckets = new KeyedBuckets(1, 2, 3);
    for (const key of ["a", "b", "b", "a", "c"]) expect(buckets.take(key, 0)).toBe(true);
    // This drops b, which has used up its tokens, and not a, which has too.
    expect(buckets.take("d", 0)).toBe(true);
    expect(buckets.size).toBe(3);
    expect(buckets.waitMs("b", 0)).toBe(0);
    expect(buckets.waitMs("a", 0)).toBe(1_000);
  });

  it("make up later for what was used elsewhere, up to a burst, and keep a limited number of keys", () => {
    const buckets = new KeyedBuckets(10, 20, 10);
    buckets.debit("a", 0, 25);
    expect([buckets.take("a", 0), buckets.waitMs("a", 0), buckets.take("b", 0)]).toEqual([false, 600, true]);
    buckets.debit("a", 0, 1_000);
    expect(buckets.waitMs("a", 0)).toBe(2_100);
    for (let i = 0; i < 100; i++) buckets.debit(`key ${i}`, 0);
    expect(buckets.size).toBeLessThanOrEqual(10);
  });
});
