import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../../src/core/collections/token-bucket.ts";

describe("a token bucket", () => {
  it("admits a burst, then the rate, and returns how long to wait", () => {
    const bucket = new TokenBucket(50, 100, 0);
    let taken = 0;
    while (bucket.take(0)) taken++;
    expect(taken).toBe(100);
    expect(bucket.waitMs(0)).toBe(20);
    expect(bucket.take(19)).toBe(false);
    expect(bucket.take(20)).toBe(true);
    taken = 0;
    for (let now = 20; now <= 1_020; now++) if (bucket.take(now)) taken++;
    expect(taken).toBe(50);
  });

  it("does not fill beyond its burst", () => {
    const bucket = new TokenBucket(10, 20, 0);
    let taken = 0;
    while (bucket.take(1_000_000)) taken++;
    expect(taken).toBe(20);
  });

  it("makes up later for what was used elsewhere, up to a burst", () => {
    const bucket = new TokenBucket(10, 20, 0);
    bucket.debit(25, 0);
    expect([bucket.take(0), bucket.waitMs(0)]).toEqual([false, 600]);
    bucket.debit(1_000, 0);
    expect(bucket.waitMs(0)).toBe(2_100);
  });
});
