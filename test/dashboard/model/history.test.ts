import { expect, it } from "vitest";
import { HISTORY_SECONDS, History } from "../../../src/dashboard/model/history.ts";

const sample = (online: number | null) => ({ online, focused: 0, typing: 0, changesPerSecond: 1.5 });

it("keeps the samples of the last 15 minutes, including gaps", () => {
  const history = new History();
  for (let second = 0; second < 2 * HISTORY_SECONDS; second++) history.push(second, sample(second));
  history.push(2 * HISTORY_SECONDS, sample(null));
  const [times, values] = history.series("online", 2 * HISTORY_SECONDS);
  expect(times).toHaveLength(HISTORY_SECONDS);
  expect([times[0], values[0], values.at(-1)]).toEqual([HISTORY_SECONDS + 1, HISTORY_SECONDS + 1, null]);
});

it("has no series for a page that slept for an hour", () => {
  const history = new History();
  history.push(0, sample(1));
  expect(history.series("online", 3_600)).toEqual([[], []]);
});

it("knows the newest value of a measure", () => {
  const history = new History();
  expect(history.last("changesPerSecond")).toBeNull();
  history.push(0, sample(1));
  expect(history.last("changesPerSecond")).toBe(1.5);
});

it("a mark interrupts the lines, and keeps what was before", () => {
  const history = new History();
  history.push(1, sample(5));
  history.mark(2);
  history.push(2.1, sample(7));
  expect(history.series("online", 3)).toEqual([
    [1, 2, 2.1],
    [5, null, 7],
  ]);
  expect(history.marks).toEqual([2]);
});

it("the number of marks is bounded", () => {
  const history = new History();
  for (let i = 0; i < 1_000; i++) history.mark(i);
  expect(history.marks).toHaveLength(20);
  expect(history.marks.at(-1)).toBe(999);
});

it("the time axis grows from half a minute to 15 minutes", () => {
  const history = new History();
  expect(history.axis(1_000)).toEqual([970, 1_000]);
  history.push(1_000, sample(1));
  expect(history.axis(1_005)).toEqual([975, 1_005]);
  expect(history.axis(1_120)).toEqual([1_000, 1_120]);
  expect(history.axis(1_000 + 2 * HISTORY_SECONDS)).toEqual([
    1_000 + HISTORY_SECONDS,
    1_000 + 2 * HISTORY_SECONDS,
  ]);
});
