import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PAUSE_MS, PendingWrites } from "../../../src/server/gateway/pending-writes.ts";
import { TURN_MS, WRITE_MS } from "../../../src/server/gateway/turn-budget.ts";

const fail = (error: unknown) => expect.fail(String(error));

/** Writers that write down their numbers, and what each write costs. */
function writersOf(written: number[], costMs = WRITE_MS) {
  return (number: number) => ({
    write: () => {
      written.push(number);
      return costMs;
    },
  });
}

it("writes at the end of the turn, in the order in which the writers came", async () => {
  const pending = new PendingWrites(fail);
  const written: number[] = [];
  for (const writer of [1, 2, 3].map(writersOf(written))) pending.add(writer);
  await Promise.resolve();
  expect([written, pending.size]).toEqual([[], 3]);
  await setImmediate();
  expect([written, pending.size]).toEqual([[1, 2, 3], 0]);
});

it("writes for a limited time in one turn, and the rest in the next", async () => {
  const pending = new PendingWrites(fail);
  const written: number[] = [];
  const writer = writersOf(written, TURN_MS / 2);
  for (const number of [1, 2, 3, 4, 5]) pending.add(writer(number));
  await setImmediate();
  expect(written).toEqual([1, 2]);
  await setImmediate();
  expect(written).toEqual([1, 2, 3, 4]);
  await setImmediate();
  expect([written, pending.size]).toEqual([[1, 2, 3, 4, 5], 0]);
});

describe("after a round of several turns", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("pauses, and then writes once what has come meanwhile", async () => {
    const pending = new PendingWrites(fail);
    const written: number[] = [];
    const [first, second, third] = [1, 2, 3].map(writersOf(written, TURN_MS));
    for (const each of [first!, second!]) pending.add(each);
    await setImmediate();
    expect(written).toEqual([1]);
    // `second` is still to be written in this round.
    for (const each of [first!, second!, third!, first!]) pending.add(each);
    await setImmediate();
    await setImmediate();
    expect([written, pending.size]).toEqual([[1, 2], 2]);
    vi.advanceTimersByTime(PAUSE_MS - 1);
    expect(written).toEqual([1, 2]);
    vi.advanceTimersByTime(1);
    expect(written).toEqual([1, 2, 1]);
    await setImmediate();
    expect([written, pending.size]).toEqual([[1, 2, 1, 3], 0]);
  });

  it("makes no pause that nothing has come for, nor while it is full", async () => {
    const pending = new PendingWrites(fail);
    const written: number[] = [];
    const writer = writersOf(written);
    const turn = TURN_MS / WRITE_MS;
    let number = 0;
    while (number <= turn) pending.add(writer(number++));
    await setImmediate();
    expect(written.length).toBe(turn);
    while (number <= 4 * turn) pending.add(writer(number++));
    await setImmediate();
    await setImmediate();
    expect([written.length, pending.isFull]).toEqual([2 * turn + 1, true]);
    for (let turns = 0; turns < 3; turns++) await setImmediate();
    expect([written.length, pending.size]).toEqual([number, 0]);
    pending.add(writer(number));
    await setImmediate();
    expect(written).toEqual([...Array(number + 1).keys()]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it("is full when two turns would not write all, and never forgets one", async () => {
  const pending = new PendingWrites(fail);
  const written: number[] = [];
  const writer = writersOf(written);
  let added = 0;
  while (!pending.isFull) pending.add(writer(added++));
  expect(added).toBe((2 * TURN_MS) / WRITE_MS);
  for (let turn = 0; turn < 20; turn++) {
    for (let n = 0; n < 1_500; n++) pending.add(writer(added++));
    await setImmediate();
  }
  while (pending.size > 0) await setImmediate();
  expect(pending.isFull).toBe(false);
  expect(written).toEqual([...Array(added).keys()]);
});

it("a writer that adds others while it is written, or fails, keeps nobody from being written", async () => {
  const errors: unknown[] = [];
  const pending = new PendingWrites((error) => void errors.push(error));
  const written: number[] = [];
  const writer = writersOf(written);
  pending.add({
    write: () => {
      pending.add(writer(2));
      throw new Error("a defect");
    },
  });
  pending.add(writer(1));
  while (pending.size > 0) await setImmediate();
  expect([written, errors.length]).toEqual([[1, 2], 1]);
});

it("a writer that is added again waits once, and leaves room for others", async () => {
  const pending = new PendingWrites(fail);
  const written: number[] = [];
  const again = writersOf(written)(1);
  for (let n = 0; n < TURN_MS / WRITE_MS; n++) pending.add(again);
  pending.add(writersOf(written)(2));
  expect(pending.size).toBe(2);
  await setImmediate();
  expect([written, pending.size]).toEqual([[1, 2], 0]);
});

it("waits for one end of a turn, also for writers that are added while others are written", async () => {
  const ends = vi.spyOn(globalThis, "setImmediate");
  try {
    const pending = new PendingWrites(fail);
    const written: number[] = [];
    const writer = writersOf(written);
    pending.add({
      write: () => {
        pending.add(writer(2));
        return WRITE_MS;
      },
    });
    pending.add(writer(1));
    await setImmediate();
    expect([written, ends.mock.calls.length]).toEqual([[1, 2], 1]);
  } finally {
    ends.mockRestore();
  }
});

it("a writer that fails whenever it is written, and is added again each time, does not hold the turn", async () => {
  let failures = 0;
  const pending = new PendingWrites(() => void failures++);
  const failing = {
    write: (): number => {
      if (failures < 100_000) pending.add(failing);
      throw new Error("a defect");
    },
  };
  pending.add(failing);
  await setImmediate();
  expect(failures).toBeLessThanOrEqual(Math.ceil(TURN_MS / WRITE_MS));
  failures = 100_000;
});
