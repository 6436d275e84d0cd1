import fc from "fast-check";
import { expect, it } from "vitest";
import { LinkedMap } from "../../../src/core/collections/linked-map.ts";
import { runs } from "../../support/seed.ts";

const key = fc.nat({ max: 5 });
const step = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key }),
  fc.record({ do: fc.constant("moveToEnd" as const), key }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({ do: fc.constant("deleteFirst" as const) }),
);

it("a linked map has the order of a plain map, after any calls", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const map = new LinkedMap<number, number>();
      const naive = new Map<number, number>();
      for (const [i, each] of steps.entries()) {
        if (each.do === "set") {
          map.set(each.key, i);
          naive.set(each.key, i);
        } else if (each.do === "moveToEnd") {
          map.moveToEnd(each.key);
          const value = naive.get(each.key);
          if (naive.delete(each.key)) naive.set(each.key, value!);
        } else {
          const [first] = naive.keys();
          const deleted = each.do === "delete" ? each.key : first;
          if (deleted !== undefined) expect(map.delete(deleted)).toBe(naive.delete(deleted));
        }
        const [first] = naive;
        expect(map.first && [map.first.key, map.first.value]).toEqual(first);
        expect([...map.entries()]).toEqual([...naive]);
        expect(map.size).toBe(naive.size);
        for (const known of [0, 1, 2, 3, 4, 5]) {
          expect(map.get(known)).toBe(naive.get(known));
          expect(map.has(known)).toBe(naive.has(known));
        }
      }
    }),
    { numRuns: runs(300) },
  );
});

it("the key at hand may be removed while all are read", () => {
  const map = new LinkedMap<number, string>();
  for (let n = 0; n < 6; n++) map.set(n, `${n}`);
  const read: number[] = [];
  for (const [n] of map.entries()) {
    read.push(n);
    if (n % 3 !== 1) map.delete(n);
  }
  expect(read).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...map.entries()]).toEqual([
    [1, "1"],
    [4, "4"],
  ]);
});
