import { describe, expect, it } from "vitest";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

describe.concurrent("tests that run at the same time", () => {
  /** More than Vitest begins at once, so that some begin amid others. */
  const TESTS = 12;
  const drawn: number[] = [];
  let allDrew = () => {};
  const all = new Promise<void>((resolve) => {
    allDrew = resolve;
  });

  it.each(Array.from({ length: TESTS }, (_, i) => i))(
    "share the randomness: nobody draws twice (%i)",
    async (i) => {
      const number = Math.random();
      const isNew = !drawn.includes(number);
      drawn.push(number);
      if (drawn.length === TESTS) allDrew();
      // One of them is under way while all others come and go.
      if (i === 0) await all;
      expect(isNew).toBe(true);
    },
  );
});

it.each([1, 2])("tests one after another begin with the same randomness (%i)", () => {
  expect(Math.random()).toBe(new Random(SEED).next());
});
