import { describe, expect, it } from "vitest";
import { ACTIVITY_LOG_LENGTH, ActivityLog } from "../../src/dashboard/model/activity-log.ts";
import { duration, fewDigits } from "../../src/dashboard/model/format.ts";
import { HISTORY_SECONDS, History } from "../../src/dashboard/model/history.ts";
import { Ring } from "../../src/dashboard/model/ring.ts";
import { scrollTopFor, windowOf } from "../../src/dashboard/model/window-of.ts";

describe("a ring", () => {
  it("keeps the last items in order", () => {
    const ring = new Ring<number>(3);
    expect(ring.toArray()).toEqual([]);
    expect(ring.last).toBeUndefined();
    for (let i = 1; i <= 8; i++) {
      ring.push(i);
      expect(ring.toArray()).toEqual([i - 2, i - 1, i].filter((item) => item > 0));
      expect(ring.last).toBe(i);
    }
    ring.clear();
    expect(ring.length).toBe(0);
  });
});

describe("the feed", () => {
  it("has the newest first, and no more than fit", () => {
    const feed = new ActivityLog();
    const users = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
    feed.add({ entered: users, updated: users, left: [] }, 1);
    feed.add({ entered: ["alice"], updated: [], left: [{ userId: "bob", cause: "timeout" }] }, 2);
    const entries = feed.entries();
    expect(entries).toHaveLength(ACTIVITY_LOG_LENGTH);
    expect(entries[0]).toMatchObject({ userId: "alice", cause: undefined, at: 2 });
    expect(entries[1]).toMatchObject({ userId: "bob", cause: "timeout" });
    expect(entries[2]).toMatchObject({ userId: "user-999" });
    expect(new Set(entries.map(({ number }) => number)).size).toBe(ACTIVITY_LOG_LENGTH);
  });
});

describe("the history", () => {
  it("is of the last quarter of an hour, gaps and all", () => {
    const history = new History();
    const sample = (online: number | null) => ({ online, focused: 0, typing: 0, diffsPerSecond: 1.5 });
    for (let second = 0; second < 2 * HISTORY_SECONDS; second++) history.push(second, sample(second));
    history.push(2 * HISTORY_SECONDS, sample(null));
    const [times, values] = history.series("online", 2 * HISTORY_SECONDS);
    expect(times).toHaveLength(HISTORY_SECONDS);
    expect([times[0], values[0], values.at(-1)]).toEqual([HISTORY_SECONDS + 1, HISTORY_SECONDS + 1, null]);
    expect(history.last("diffsPerSecond")).toBe(1.5);
    // A page that slept for an hour shows nothing of before.
    expect(history.series("online", 5 * HISTORY_SECONDS)).toEqual([[], []]);
  });
});

describe("the window", () => {
  it.each([
    [0, 500, 36, 20_000, 0, 22],
    [36 * 100, 500, 36, 20_000, 92, 122],
    [36 * 20_000 - 500, 500, 36, 20_000, 19_978, 20_000],
    [-50, 500, 36, 3, 0, 3],
    [9_999_999, 500, 36, 10, 10, 10],
    [0, 500, 36, 0, 0, 0],
  ])("at %d of height %d shows few rows", (top, height, rowHeight, count, first, end) => {
    expect(windowOf(top, height, rowHeight, count)).toEqual({ first, end });
  });

  it("is moved no further than it must", () => {
    expect(scrollTopFor(5, 0, 500, 36)).toBe(0);
    expect(scrollTopFor(13, 0, 500, 36)).toBe(4);
    expect(scrollTopFor(2, 300, 500, 36)).toBe(72);
  });
});

it("times and rates read well", () => {
  expect([0, 59, 60, 3_725, 90_061].map(duration)).toEqual([
    "0 s",
    "59 s",
    "1 min 0 s",
    "1 h 2 min",
    "1 d 1 h",
  ]);
  expect([0, 0.24, 9.99, 12.4].map(fewDigits)).toEqual(["0.0", "0.2", "10.0", "12"]);
});
