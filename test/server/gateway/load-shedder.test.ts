import { expect, it } from "vitest";
import { LoadShedder } from "../../../src/server/gateway/load-shedder.ts";

const use = (resident: number, heap: number) => ({ resident, residentLimit: 1_000, heap, heapLimit: 500 });

it("memory is low from 80 % of either limit on, until both are under 75 %", () => {
  const gate = new LoadShedder();
  const samples: [resident: number, heap: number, isShort: boolean][] = [
    [0, 0, false],
    [799, 399, false],
    [800, 0, true],
    [760, 0, true],
    [749, 374, false],
    [799, 0, false],
    [0, 400, true],
    [0, 375, true],
    [900, 374, true],
    [749, 374, false],
  ];
  for (const [resident, heap, isShort] of samples) {
    const changes = gate.isShort !== isShort;
    expect(gate.sample(use(resident, heap))).toBe(changes);
    expect(gate.isShort).toBe(isShort);
  }
});

it("garbage is collected each time that half of the clients have left since memory became low", () => {
  const gate = new LoadShedder();
  expect([1_000, 10].map((present) => gate.shouldCollect(present))).toEqual([false, false]);
  gate.sample(use(900, 0));
  const counts = [1_000, 1_200, 600, 599, 599, 300, 299, 0, 0, 0, 100, 49];
  const collected = counts.filter((present) => gate.shouldCollect(present));
  expect(collected).toEqual([599, 299, 0, 49]);
  gate.sample(use(100, 0));
  expect(gate.shouldCollect(0)).toBe(false);
});
