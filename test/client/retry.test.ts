import { describe, expect, it } from "vitest";
import { createRetrySchedule, retryDelay } from "../../src/client/retry.ts";

describe("the next attempt", () => {
  it("lies first well inside the resume window, then further away, each with full jitter", () => {
    for (const windowMs of [400, 2_000, 15_000, 600_000]) {
      expect(retryDelay(0, windowMs, 0, 1)).toBeLessThanOrEqual(windowMs / 5);
      expect(retryDelay(0, windowMs, 0, 0)).toBe(0);
      for (let attempt = 1; attempt < 100; attempt++) {
        const longest = retryDelay(attempt, windowMs, windowMs, 1);
        expect(longest).toBeGreaterThanOrEqual(retryDelay(attempt - 1, windowMs, windowMs, 1));
        expect(longest).toBeLessThanOrEqual(30_000);
        expect(retryDelay(attempt, windowMs, windowMs, 0.5)).toBe(longest / 2);
        // While the sessions are kept, half of the time that is left for them is the most.
        expect(retryDelay(attempt, windowMs, windowMs / 2, 1)).toBe(Math.min(longest, windowMs / 4));
      }
      expect(retryDelay(1_000_000, windowMs, windowMs, 1)).toBe(30_000);
      expect(retryDelay(100, windowMs, 0.999 * windowMs, 1)).toBe(retryDelay(0, windowMs, windowMs, 1));
    }
    // A gateway without a window is none to hurry for, and none to hammer.
    expect(retryDelay(0, 0, 0, 1)).toBe(50);
    expect(retryDelay(0, 2 ** 53, 0, 1)).toBe(1_000);
  });
});

describe("a schedule of attempts", () => {
  const SESSION_MS = 15_000;

  it("waits longer with each attempt that fails", () => {
    const schedule = createRetrySchedule();
    const delays = Array.from({ length: 6 }, () => schedule.nextDelay(0, 1));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
  });

  it("begins anew after a connection of more than 5 s, and only after that", () => {
    const schedule = createRetrySchedule();
    for (let i = 0; i < 6; i++) schedule.nextDelay(0, 1);
    schedule.connected(0, SESSION_MS);
    expect(schedule.lost(400)).toBe(false);
    expect(schedule.nextDelay(60_000, 1)).toBe(30_000);
    schedule.connected(60_000, SESSION_MS);
    expect(schedule.lost(65_000)).toBe(false);
    schedule.connected(70_000, SESSION_MS);
    expect(schedule.lost(75_001)).toBe(true);
    expect(schedule.nextDelay(75_001, 1)).toBe(1_000);
  });

  it("hurries after a connection that was of use, as long as the gateway keeps the sessions", () => {
    const schedule = createRetrySchedule();
    for (let i = 0; i < 6; i++) schedule.nextDelay(0, 1);
    schedule.connected(0, SESSION_MS);
    expect(schedule.lost(500)).toBe(false);
    expect(schedule.nextDelay(500, 1)).toBe(4_000);
    expect(schedule.nextDelay(500 + 13_000, 1)).toBe(1_000);
    expect(schedule.nextDelay(500 + SESSION_MS, 1)).toBe(16_000);
  });
});
