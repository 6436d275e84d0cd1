import { expect, it } from "vitest";
import { Ring } from "../../../src/dashboard/model/ring.ts";

it("keeps the last items, oldest first", () => {
  const ring = new Ring<number>(3);
  expect(ring.toArray()).toEqual([]);
  expect(ring.last).toBeUndefined();
  for (let i = 1; i <= 8; i++) {
    ring.push(i);
    expect(ring.toArray()).toEqual([i - 2, i - 1, i].filter((item) => item > 0));
    expect(ring.last).toBe(i);
  }
});

it("is empty after clear and can be filled again", () => {
  const ring = new Ring<number>(2);
  for (let i = 1; i <= 3; i++) ring.push(i);
  ring.clear();
  expect(ring.length).toBe(0);
  expect(ring.last).toBeUndefined();
  ring.push(4);
  expect(ring.toArray()).toEqual([4]);
});
