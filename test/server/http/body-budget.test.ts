import { expect, it } from "vitest";
import { BodyBudget } from "../../../src/server/http/body-budget.ts";

// Bodies may take an eighth of the memory, and each app a quarter of that.
const MEMORY = 8 * 400;
const OF_ALL = 400;
const OF_APP = 100;

it("an app may take a quarter, and what is refused is not counted", () => {
  const budget = new BodyBudget(MEMORY);
  expect(budget.take("a", OF_APP)).toBe(true);
  expect(budget.take("a", 1)).toBe(false);
  expect(budget.bytes).toBe(OF_APP);
});

it("all apps together may take all of it", () => {
  const budget = new BodyBudget(MEMORY);
  for (const app of ["a", "b", "c", "d"]) expect(budget.take(app, OF_APP)).toBe(true);
  expect(budget.take("e", 1)).toBe(false);
  budget.release("a", OF_APP);
  expect(budget.take("e", OF_APP)).toBe(true);
  expect(budget.bytes).toBe(OF_ALL);
});

it("bytes that were given back can be taken again", () => {
  const budget = new BodyBudget(MEMORY);
  budget.take("a", 60);
  budget.take("a", 40);
  budget.release("a", 60);
  expect(budget.bytes).toBe(40);
  expect(budget.take("a", 60)).toBe(true);
  expect(budget.take("a", 1)).toBe(false);
  budget.release("a", 100);
  budget.release("a", 0);
  expect(budget.bytes).toBe(0);
});

it("64 MiB is the most, however large the memory is", () => {
  const budget = new BodyBudget(Number.MAX_SAFE_INTEGER);
  const ofApp = 16 * 1024 * 1024;
  expect(budget.take("a", ofApp)).toBe(true);
  expect(budget.take("a", 1)).toBe(false);
});
