import { expect, it } from "vitest";
import { BoundedMap } from "../../../src/core/collections/bounded-map.ts";

it("a bounded map keeps the latest keys, and loses none when a key is set again", () => {
  const map = new BoundedMap<string, number>(3);
  for (const [i, key] of ["a", "b", "c", "c", "d"].entries()) map.set(key, i);
  expect(["a", "b", "c", "d"].map((key) => map.get(key))).toEqual([undefined, 1, 3, 4]);
});
