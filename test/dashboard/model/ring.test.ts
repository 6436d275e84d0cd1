import { expect, it } from "vitest";
import { Ring } from "../../../src/dashboard/model/ring.ts";

it("keeps the last items, oldest first", () => {
  const ring = new Ring<number>(3);
  expect(ring.toArray()).toEqual([]);
  expect([ring.first, ring.last]).toEqual([undefined, undefined]);
  for (let i = 1; i <= 8; i++) {
    ring.push(i);
    expect(ring.toArray()).toEqual([i - 2, i - 1, i].filter((item) => item > 0));
    expect(ring.first).toBe(Math.max(1, i - 2));
    expect(ring.last).toBe(i);
  }
});
