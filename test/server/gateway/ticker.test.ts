import { afterEach, expect, it, vi } from "vitest";
import { GRACE_MS, Ticker } from "../../../src/server/gateway/ticker.ts";

afterEach(() => void vi.useRealTimers());

function setUp() {
  vi.useFakeTimers();
  const time = { now: 0 };
  const runs: number[] = [];
  let due: number | undefined;
  const ticker = new Ticker(
    { now: () => time.now, wallNow: () => 0 },
    (now) => void runs.push(now),
    () => due,
  );
  const pass = (ms: number) => {
    time.now += ms;
    vi.advanceTimersByTime(ms);
  };
  return { time, runs, ticker, pass, setDue: (at: number | undefined) => (due = at) };
}

it("runs when something is due, and at least twice a second", () => {
  const { runs, pass, ticker, setDue } = setUp();
  pass(500);
  expect(runs).toEqual([500]);
  setDue(600);
  ticker.wakeBy(600);
  pass(100);
  expect(runs).toEqual([500, 600]);
  ticker.stop();
});

it("after a busy pause, first reads what clients sent, then checks deadlines, and waits only once", () => {
  const { time, runs, ticker } = setUp();
  // The event loop was blocked for 5 seconds: the clock went on, and the timer fires late.
  time.now += 5_000;
  vi.advanceTimersByTime(500);
  expect(runs).toEqual([]);
  // What is said meanwhile does not put it off.
  ticker.wakeBy(5_001);
  time.now += 2_000;
  vi.advanceTimersByTime(GRACE_MS);
  expect(runs).toEqual([7_000]);
  ticker.stop();
});

it("goes on at once with what a run has left, however long ago that was due", () => {
  const { runs, pass, ticker, setDue } = setUp();
  setDue(100);
  ticker.wakeBy(100);
  pass(100);
  // Each run leaves something that was due at 100.
  for (let ms = 0; ms < 3_000; ms++) pass(1);
  expect(runs).toHaveLength(3_001);
  ticker.stop();
});

it("goes on at once with what a run has left, but not after a busy pause", () => {
  const { time, runs, pass, ticker, setDue } = setUp();
  setDue(100);
  ticker.wakeBy(100);
  pass(100);
  time.now += 5_000;
  vi.advanceTimersByTime(1);
  expect(runs).toEqual([100]);
  pass(GRACE_MS);
  expect(runs).toEqual([100, 5_350]);
  ticker.stop();
});

it("goes on after a run that fails", () => {
  vi.useFakeTimers();
  let now = 0;
  let runs = 0;
  const ticker = new Ticker(
    { now: () => now, wallNow: () => 0 },
    () => {
      if (++runs === 1) throw new Error("a defect");
    },
    () => undefined,
  );
  now = 500;
  expect(() => vi.advanceTimersByTime(500)).toThrow("a defect");
  now = 1_000;
  vi.advanceTimersByTime(500);
  expect(runs).toBe(2);
  ticker.stop();
});
