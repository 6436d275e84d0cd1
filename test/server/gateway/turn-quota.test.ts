import { expect, it } from "vitest";
import { TurnQuota } from "../../../src/server/gateway/turn-quota.ts";

const LEAST = 64;

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const takenOf = (quota: TurnQuota, count: number) =>
  Array.from({ length: count }, () => quota.take()).filter(Boolean).length;

it("a turn has at most three times the least that it has", async () => {
  const quota = new TurnQuota(LEAST);
  expect(takenOf(quota, 1_000)).toBe(3 * LEAST);
  await nextTurn();
  expect(takenOf(quota, 1_000)).toBe(3 * LEAST);
});

it("each turn has at least one time that, whatever the turns before had", async () => {
  const quota = new TurnQuota(LEAST);
  for (let turn = 0; turn < 10; turn++) {
    expect(takenOf(quota, LEAST)).toBe(LEAST);
    await nextTurn();
  }
});
