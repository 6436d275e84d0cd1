import { expect, it } from "vitest";
import { FLOOD_SECONDS } from "../../../src/server/gateway/gateway-config.ts";
import { RateLimiter } from "../../../src/server/gateway/rate-limiter.ts";

/** How many of `tries` messages at a time are admitted. */
function admitted(limiter: RateLimiter, now: number, tries: number): number {
  return Array.from({ length: tries }, () => limiter.admit(now)).filter((each) => each).length;
}

it.each([1, 3, 50, 5_000])("admits a burst of twice the rate, then the rate: %i a second", (perSecond) => {
  const limiter = new RateLimiter(perSecond, 0.7);
  expect(admitted(limiter, 0.9, 3 * perSecond)).toBe(2 * perSecond);
  // Time comes in fractions of milliseconds, and none of it is lost.
  let more = 0;
  for (let now = 1; now <= 10_000; now += 0.73) more += admitted(limiter, now, 6);
  expect(Math.abs(more - 10 * perSecond)).toBeLessThanOrEqual(Math.ceil(perSecond / 100));
  expect(admitted(limiter, 1e6, 3 * perSecond)).toBe(2 * perSecond);
});

it("returns when the next message is possible, and then admits one", () => {
  const limiter = new RateLimiter(3, 0);
  expect(admitted(limiter, 0, 7)).toBe(6);
  expect(limiter.retryAfterMs()).toBe(334);
  expect(limiter.admit(333)).toBe(false);
  expect(limiter.retryAfterMs()).toBe(1);
  expect(limiter.admit(334)).toBe(true);
});

it("reports a flood, but not a client that exceeds the rate by no more than as much again", () => {
  const flooded = (excess: number) => {
    const limiter = new RateLimiter(50, 0);
    for (let ms = 0; ms < 60_000; ms += 100) {
      for (let i = 0; i < excess; i++) if (limiter.isFlooding(ms)) return ms;
    }
    return undefined;
  };
  expect(flooded(5)).toBeUndefined();
  // Twice the rate uses up in this time what may be sent over it.
  expect(Math.abs(flooded(10)! - 1_000 * FLOOD_SECONDS)).toBeLessThanOrEqual(100);
});

it("starts again with another rate", () => {
  const limiter = new RateLimiter(50, 0);
  admitted(limiter, 0, 100);
  limiter.setRate(2);
  expect(admitted(limiter, 0, 10)).toBe(4);
});
