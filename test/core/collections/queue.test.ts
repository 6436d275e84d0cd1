import fc from "fast-check";
import { expect, it } from "vitest";
import { Queue } from "../../../src/core/collections/queue.ts";
import { runs } from "../../support/seed.ts";

const value = fc.nat({ max: 5 });
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), value }),
  fc.record({ do: fc.constant("delete" as const), value }),
  fc.record({ do: fc.constant("take" as const) }),
);

it("a queue gives each value once, in the order of a plain set, after any calls", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const queue = new Queue<number>();
      const naive = new Set<number>();
      for (const each of steps) {
        if (each.do === "add") {
          queue.add(each.value);
          naive.add(each.value);
        } else if (each.do === "delete") expect(queue.delete(each.value)).toBe(naive.delete(each.value));
        else {
          const [first] = naive;
          expect(queue.take()).toBe(first);
          if (first !== undefined) naive.delete(first);
        }
        expect(queue.size).toBe(naive.size);
      }
      for (const left of naive) expect(queue.take()).toBe(left);
      expect(queue.take()).toBeUndefined();
    }),
    { numRuns: runs(300) },
  );
});

it("a queue of thousands is taken in order while it grows", () => {
  const queue = new Queue<number>();
  const taken: number[] = [];
  for (let n = 0; n < 30_000; n++) {
    queue.add(n);
    if (n % 3 !== 0) taken.push(queue.take()!);
  }
  while (queue.size > 0) taken.push(queue.take()!);
  expect(taken).toEqual(Array.from({ length: 30_000 }, (_, n) => n));
});
