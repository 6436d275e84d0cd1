import { expect, it } from "vitest";
import { HISTORY_SECONDS, History } from "../../../src/dashboard/model/history.ts";

const sample = (online: number | null) => ({ online, focused: 0, typing: 0, diffsPerSecond: 1.5 });

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
  expect(history.last("diffsPerSecond")).toBeNull();
  history.push(0, sample(1));
  expect(history.last("diffsPerSecond")).toBe(1.5);
  history.clear();
  expect(history.last("diffsPerSecond")).toBeNull();
});
