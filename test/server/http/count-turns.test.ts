import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { CountTurns } from "../../../src/server/http/count-turns.ts";

function setUp() {
  const turns = new CountTurns((error) => expect.fail(String(error)));
  /** The names of the counts, one for each step that was done. */
  const steps: string[] = [];
  const run = (name: string, count: number, owner = "app") => {
    let left = count;
    return turns.run(owner, () => {
      steps.push(name);
      if (name === "bad") throw new Error("bad");
      return --left === 0 ? count : undefined;
    });
  };
  return { run, steps };
}

it("few steps are done in a turn, however many counts there are, and the counts take turns", async () => {
  const { run, steps } = setUp();
  const counts = Array.from({ length: 20 }, (_, i) => run(`${i}`, 3));
  expect(steps).toEqual([]);
  while (steps.length < 60) {
    const before = steps.length;
    await nextTurn();
    expect(steps.length - before).toBeLessThanOrEqual(2);
  }
  expect(steps.slice(0, 20)).toEqual(counts.map((_, i) => `${i}`));
  expect(steps.slice(20, 40)).toEqual(counts.map((_, i) => `${i}`));
  expect(await Promise.all(counts)).toEqual(counts.map(() => 3));
});

it("an app does not wait for the many counts of another, and one that fails fails alone", async () => {
  const { run, steps } = setUp();
  const many = Array.from({ length: 20 }, (_, i) => run(`${i}`, 5));
  const bad = run("bad", 1).catch(String);
  expect(await run("other", 2, "another")).toBe(2);
  expect(steps.length).toBeLessThan(10);
  expect(await bad).toBe("Error: bad");
  expect(await Promise.all(many)).toHaveLength(20);
  expect(steps).toHaveLength(20 * 5 + 2 + 1);
});
