import { expect, it } from "vitest";
import { randomFrom } from "../../../bench/simulation/random.ts";

it("a seed gives the same numbers again, evenly spread in [0, 1)", () => {
  const numbers = Array.from({ length: 10_000 }, randomFrom(7));
  expect(Array.from({ length: 10_000 }, randomFrom(7))).toEqual(numbers);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1);
});
