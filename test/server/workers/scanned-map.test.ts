import fc from "fast-check";
import { expect, it } from "vitest";
import { ScannedMap } from "../../../src/server/workers/scanned-map.ts";
import { runs } from "../../support/seed.ts";

const key = fc.constantFrom(..."abcdefgh");
const step = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({ do: fc.constant("scan" as const), size: fc.integer({ min: 1, max: 4 }) }),
);

it("is a map, and a scan finds once what is there from its begin to its end", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const [map, model] = [new ScannedMap<{ n: number }>(), new Map<string, { n: number }>()];
      let behind: number | undefined = 0;
      let found: string[] = [];
      let stay = new Set<string>();
      const scan = (size: number) => {
        let n = 0;
        behind = map.scan(behind ?? 0, (each, value) => {
          expect(value).toBe(model.get(each));
          found.push(each);
          return ++n < size;
        });
        if (behind !== undefined) return;
        for (const each of stay) expect(found.filter((one) => one === each)).toEqual([each]);
        [found, stay] = [[], new Set(model.keys())];
      };
      for (const [n, each] of steps.entries()) {
        if (each.do === "scan") scan(each.size);
        else if (each.do === "set") {
          map.set(each.key, { n });
          model.set(each.key, map.get(each.key)!);
        } else {
          map.delete(each.key);
          model.delete(each.key);
          stay.delete(each.key);
        }
        expect(map.size).toBe(model.size);
      }
      scan(Number.POSITIVE_INFINITY);
    }),
    { numRuns: runs(300) },
  );
});

it("keeps no more than a few times as much as is in it, and a scan goes on meanwhile", () => {
  const map = new ScannedMap<{ text: string }>();
  map.set("first", { text: "" });
  map.set("last", { text: "" });
  const behind = map.scan(0, () => false);
  for (let i = 0; i < 1_000; i++) {
    map.set(`s${i}`, { text: "" });
    map.delete(`s${i}`);
    expect(map.slots).toBeLessThan(100);
  }
  const rest: string[] = [];
  expect(map.scan(behind!, (key) => rest.push(key) > 0)).toBeUndefined();
  expect(rest).toEqual(["last"]);
});
