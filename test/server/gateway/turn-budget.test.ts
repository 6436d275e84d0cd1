import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import {
  deliveryCostMs,
  flushCostMs,
  TurnBudget,
  WRITE_MS,
  writeCostMs,
} from "../../../src/server/gateway/turn-budget.ts";

it("is spent in one turn of the event loop, and full in the next", async () => {
  const budget = new TurnBudget((error) => expect.fail(String(error)), 4);
  budget.spend(3);
  expect([budget.isSpent, budget.leftMs]).toEqual([false, 1]);
  budget.spend(3);
  expect([budget.isSpent, budget.leftMs]).toEqual([true, 0]);
  await setImmediate();
  expect([budget.isSpent, budget.leftMs]).toEqual([false, 4]);
});

it("calls back in turns with time left, first those who wait longest, and each once", async () => {
  const budget = new TurnBudget((error) => expect.fail(String(error)), 4);
  const called: string[] = [];
  const callback = (name: string) => () => {
    called.push(name);
    budget.spend(4);
  };
  const [a, b, c] = [callback("a"), callback("b"), callback("c")];
  for (const each of [a, b, a]) budget.onNextTurn(each);
  await setImmediate();
  expect(called).toEqual(["a"]);
  budget.onNextTurn(c);
  budget.onNextTurn(a);
  for (let turn = 0; turn < 5; turn++) await setImmediate();
  expect(called).toEqual(["a", "b", "c", "a"]);
});

it("has no time while what it has caused is still to be done", async () => {
  let mustWait = true;
  const budget = new TurnBudget(
    (error) => expect.fail(String(error)),
    4,
    () => mustWait,
  );
  let called = 0;
  budget.onNextTurn(() => void called++);
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  expect([budget.isSpent, called]).toEqual([true, 0]);
  mustWait = false;
  await setImmediate();
  expect([budget.isSpent, called]).toEqual([false, 1]);
});

it("calls the others where one fails", async () => {
  const errors: unknown[] = [];
  const budget = new TurnBudget((error) => void errors.push(error));
  let called = 0;
  budget.onNextTurn(() => {
    throw new Error("a defect");
  });
  budget.onNextTurn(() => void called++);
  await setImmediate();
  expect([errors.length, called]).toEqual([1, 1]);
});

it("estimates more for more work", () => {
  expect(flushCostMs(0, 0)).toBeGreaterThan(0);
  expect(flushCostMs(2, 100)).toBeGreaterThan(flushCostMs(1, 100));
  expect(flushCostMs(1, 200)).toBeGreaterThan(flushCostMs(1, 100));
  expect(deliveryCostMs(0)).toBeGreaterThan(0);
  expect(deliveryCostMs(1_000)).toBeGreaterThan(deliveryCostMs(10));
  expect(writeCostMs(0)).toBe(WRITE_MS);
  expect(writeCostMs(1_000)).toBeGreaterThan(writeCostMs(10));
});
