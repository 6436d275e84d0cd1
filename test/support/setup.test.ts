import { describe, expect, it } from "vitest";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

const first = () => new Random(SEED).next();

describe.concurrent("tests that run at the same time", () => {
  const drawn: number[] = [];
  let allDrew = () => {};
  const all = new Promise<void>((resolve) => {
    allDrew = resolve;
  });

  it.each([1, 2])("share the randomness: none is given a number of another (%i)", async () => {
    drawn.push(Math.random());
    if (drawn.length === 2) allDrew();
    await all;
    expect(drawn[0]).toBe(first());
    expect(drawn[1]).not.toBe(drawn[0]);
  });
});

it.each([1, 2])("tests one after another begin with the same randomness (%i)", () => {
  expect(Math.random()).toBe(first());
});
