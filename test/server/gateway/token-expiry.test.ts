import { describe, expect, it } from "vitest";
import { TokenExpiry } from "../../../src/server/gateway/token-expiry.ts";

const NOW = 1_000_000_000_000;
const inSeconds = (seconds: number) => NOW / 1000 + seconds;

describe("the expiry of a token", () => {
  it("comes with one warning a minute ahead", () => {
    const watch = new TokenExpiry(inSeconds(600), NOW, 5);
    expect(watch.nextCheckAt(NOW)).toBe(NOW + 540_000);
    expect(watch.shouldWarn(NOW + 539_999)).toBe(false);
    expect(watch.shouldWarn(NOW + 540_000)).toBe(true);
    expect(watch.leftMs(NOW + 540_000)).toBe(60_000);
    expect(watch.shouldWarn(NOW + 541_000)).toBe(false);
    expect(watch.nextCheckAt(NOW + 541_000)).toBe(NOW + 600_000);
    expect(watch.isOver(NOW + 599_999)).toBe(false);
    expect(watch.isOver(NOW + 600_000)).toBe(true);
  });

  it("comes with a warning at half of the remaining time if that is less than a minute", () => {
    expect(new TokenExpiry(inSeconds(10), NOW, 5).nextCheckAt(NOW)).toBe(NOW + 5_000);
  });

  it("of a token accepted within the leeway comes when the leeway ends", () => {
    const watch = new TokenExpiry(inSeconds(-2), NOW, 5);
    expect(watch.isOver(NOW + 2_999)).toBe(false);
    expect(watch.isOver(NOW + 3_000)).toBe(true);
  });

  it("follows the wall clock when it steps forward or back", () => {
    const watch = new TokenExpiry(inSeconds(600), NOW, 5);
    expect(watch.isOver(NOW + 300_000)).toBe(false);
    expect(watch.isOver(NOW - 300_000)).toBe(false);
    expect(watch.isOver(NOW + 601_000)).toBe(true);
  });

  it("is checked in time even if it is far ahead, or beyond any date", () => {
    const watch = new TokenExpiry(1e300, NOW, 5);
    expect(watch.nextCheckAt(NOW)).toBeLessThanOrEqual(NOW + 24 * 3_600_000);
    expect(watch.isOver(NOW + 1e12)).toBe(false);
  });
});
