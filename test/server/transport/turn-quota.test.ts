import { expect, it } from "vitest";
import { MAX_PIPELINED } from "../../../src/server/transport/transport.ts";
import { TurnQuota } from "../../../src/server/transport/turn-quota.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const takenOf = (quota: TurnQuota, count: number) =>
  Array.from({ length: count }, () => quota.take()).filter(Boolean).length;

it("a turn has at most three times the requests that one connection may send ahead", async () => {
  const quota = new TurnQuota();
  expect(takenOf(quota, 1_000)).toBe(3 * MAX_PIPELINED);
  await nextTurn();
  expect(takenOf(quota, 1_000)).toBe(3 * MAX_PIPELINED);
});

it("each turn has at least one time that, whatever the turns before had", async () => {
  const quota = new TurnQuota();
  for (let turn = 0; turn < 10; turn++) {
    expect(takenOf(quota, MAX_PIPELINED)).toBe(MAX_PIPELINED);
    await nextTurn();
  }
});
