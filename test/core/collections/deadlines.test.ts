import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deadlines } from "../../../src/core/collections/deadlines.ts";
import { runs } from "../../support/seed.ts";

describe("deadlines", () => {
  it("behave like a plain map of times, after any calls", () => {
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

  it("do not grow while they are postponed, deleted and set again", () => {
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
