import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../src/core/collections/bounded-map.ts";
import { Deadlines } from "../../src/core/collections/deadlines.ts";
import { TokenBucket } from "../../src/core/collections/token-bucket.ts";
import { createAwakeClock } from "../../src/server/clock.ts";
import { runs } from "../support/seed.ts";

describe("the awake clock", () => {
  const setUp = () => {
    const time = { real: 0, used: 0 };
    const clock = createAwakeClock(
      () => time.real,
      () => 0,
      () => time.used,
    );
    for (; time.real < 10_000; time.real += 500) clock.now();
    expect(clock.now()).toBe(10_000);
    return { time, clock };
  };

  it("goes with the time while it is read, and stands still while the process does", () => {
    const { time, clock } = setUp();
    time.real += 20_000;
    time.used += 30;
    const after = clock.now();
    expect(after).toBe(10_030);
    time.real += 400;
    expect(clock.now() - after).toBe(400);
  });

  it("goes on while the process is busy, for as long as it is, again and again", () => {
    const { time, clock } = setUp();
    for (let n = 1; n <= 10; n++) {
      time.real += 5_000;
      time.used += 4_900;
      expect(clock.now()).toBe(10_000 + n * 5_000);
    }
  });

  it("counts the busy part of a pause in which the process was stopped as well", () => {
    const { time, clock } = setUp();
    time.real += 20_000;
    time.used += 3_000;
    expect(clock.now()).toBe(13_000);
  });
});

describe("deadlines", () => {
  it("behave as a plain map of times that is walked, after any calls", () => {
    const key = fc.nat({ max: 5 });
    const step = fc.oneof(
      fc.record({ do: fc.constant("set" as const), key, due: fc.nat({ max: 100 }) }),
      fc.record({ do: fc.constant("delete" as const), key }),
      fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const deadlines = new Deadlines<number>();
        const naive = new Map<number, number>();
        let now = 0;
        for (const each of steps) {
          if (each.do === "set") {
            deadlines.set(each.key, now + each.due);
            naive.set(each.key, now + each.due);
          } else if (each.do === "delete") {
            deadlines.delete(each.key);
            naive.delete(each.key);
          } else {
            now += each.ms;
            const taken: number[] = [];
            for (let key = deadlines.takeDue(now); key !== undefined; key = deadlines.takeDue(now))
              taken.push(key);
            const due = [...naive].filter(([, at]) => at <= now).map(([each]) => each);
            for (const each of due) naive.delete(each);
            expect(taken.sort()).toEqual(due.sort());
          }
          expect(deadlines.size).toBe(naive.size);
          const earliest = Math.min(...naive.values());
          expect(deadlines.nextDueAt() ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(earliest);
          for (const key of [0, 1, 2, 3, 4, 5]) expect(deadlines.get(key)).toBe(naive.get(key));
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it("do not grow while they are put off, taken back and set again", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("stays", 1_000_000);
    for (let i = 0; i < 10_000; i++) {
      deadlines.set("k", 1_000 - (i % 500));
      deadlines.delete("k");
      deadlines.set(`once ${i}`, 5_000);
      deadlines.delete(`once ${i}`);
    }
    expect(deadlines.size).toBe(1);
    expect(deadlines.heapSize).toBeLessThan(200);
  });
});

describe("a token bucket", () => {
  it("lets a burst through, then the rate, and says how long to wait", () => {
    const bucket = new TokenBucket(50, 100, 0);
    let taken = 0;
    while (bucket.take(0)) taken++;
    expect(taken).toBe(100);
    expect(bucket.waitMs(0)).toBe(20);
    expect(bucket.take(19)).toBe(false);
    expect(bucket.take(20)).toBe(true);
    taken = 0;
    for (let now = 20; now <= 1_020; now++) if (bucket.take(now)) taken++;
    expect(taken).toBe(50);
  });

  it("does not fill beyond its burst", () => {
    const bucket = new TokenBucket(10, 20, 0);
    let taken = 0;
    while (bucket.take(1_000_000)) taken++;
    expect(taken).toBe(20);
  });
});

it("a bounded map keeps what came last, and takes back what it knows without losing another", () => {
  const map = new BoundedMap<string, number>(3);
  for (const [i, key] of ["a", "b", "c", "c", "d"].entries()) map.set(key, i);
  expect(["a", "b", "c", "d"].map((key) => map.get(key))).toEqual([undefined, 1, 3, 4]);
});
