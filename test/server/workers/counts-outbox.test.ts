import { expect, it } from "vitest";
import { CountsOutbox, forEachCount } from "../../../src/server/workers/counts-outbox.ts";

it("reports at once, and then at most every 50 ms, what has changed since", () => {
  const outbox = new CountsOutbox();
  expect(outbox.dueAt).toBeUndefined();
  outbox.hold("a", 1);
  outbox.hold("a", 1);
  outbox.hold("b", 1);
  outbox.hold("b", -1);
  outbox.take("t", 2);
  outbox.take("t", 1);
  expect(outbox.next(1_000)).toEqual({ held: ["a", 2], taken: ["t", 3] });
  outbox.acknowledged();
  expect(outbox.next(2_000)).toBeUndefined();
  outbox.hold("a", -2);
  expect(outbox.dueAt).toBe(1_050);
  expect(outbox.next(1_049)).toBeUndefined();
  expect(outbox.next(1_050)).toEqual({ held: ["a", -2], taken: [] });
});

it("a report waits until the one before was taken, and what waits is added up", () => {
  const outbox = new CountsOutbox();
  outbox.hold("a", 1);
  expect(outbox.next(0)).toBeDefined();
  for (let i = 0; i < 1_000; i++) outbox.hold("a", i % 2 === 0 ? 1 : -1);
  outbox.hold("a", 1);
  expect([outbox.dueAt, outbox.next(10_000)]).toEqual([undefined, undefined]);
  outbox.acknowledged();
  expect(outbox.next(10_000)).toEqual({ held: ["a", 1], taken: [] });
});

it("has at most 10,000 keys of what was taken, and then still counts those that it has", () => {
  const outbox = new CountsOutbox();
  for (let i = 0; i < 10_010; i++) outbox.take(`key-${i}`, 1);
  outbox.take("key-0", 1);
  const { taken } = outbox.next(0)!;
  expect([taken.length, taken.slice(0, 2)]).toEqual([20_000, ["key-0", 2]]);
});

it("counts are read in pairs", () => {
  const read: [string, number][] = [];
  forEachCount(["a", 1, "b", -2], (key, amount) => void read.push([key, amount]));
  expect(read).toEqual([
    ["a", 1],
    ["b", -2],
  ]);
});
