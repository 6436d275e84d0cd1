import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { TURN_MS } from "../../../src/server/gateway/turn-budget.ts";
import { OwnerTurns } from "../../../src/server/http/owner-turns.ts";

it("apps take turns, work that is not done goes on later, and a turn has its limit", async () => {
  const turns = new OwnerTurns((error) => expect.fail(String(error)));
  const acts: string[] = [];
  const add = (owner: string, name: string, times: number) => {
    let left = times;
    turns.wait(owner, () => {
      turns.spend(TURN_MS / 2);
      acts.push(name);
      return --left === 0;
    });
  };
  expect(turns.isFree).toBe(true);
  for (const name of ["a1", "a2", "a3"]) add("a", name, 2);
  add("b", "b1", 2);
  expect([turns.isFree, acts]).toEqual([false, []]);
  const perTurn: string[][] = [];
  while (perTurn.flat().length < 8) {
    acts.length = 0;
    await nextTurn();
    perTurn.push([...acts]);
  }
  expect(perTurn).toEqual([
    ["a1", "b1"],
    ["a2", "b1"],
    ["a3", "a1"],
    ["a2", "a3"],
  ]);
  await nextTurn();
  expect(turns.isFree).toBe(true);
});

it("what was spent in this turn leaves no time for more", async () => {
  const turns = new OwnerTurns((error) => expect.fail(String(error)));
  turns.spend(TURN_MS);
  expect(turns.isFree).toBe(false);
  await nextTurn();
  expect(turns.isFree).toBe(true);
});
