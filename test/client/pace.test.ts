import { describe, expect, it } from "vitest";
import { createPace } from "../../src/client/pace.ts";
import { RateLimiter } from "../../src/server/gateway/rate-limiter.ts";
import { Random } from "../support/random.ts";
import { runs, SEED } from "../support/seed.ts";

describe("a pace", () => {
  it("lets a burst out at once, then one message every 25 ms; an app token has a hundred times that", () => {
    for (const factor of [1, 100]) {
      const pace = createPace(factor);
      let sent = 0;
      const send = (now: number) => {
        for (; !pace.isOver(now); sent++) pace.sent(now);
      };
      send(0);
      expect(sent).toBeGreaterThanOrEqual(80 * factor);
      expect(sent).toBeLessThanOrEqual(81 * factor);
      const before = sent;
      for (let now = 1; now <= 1_000; now++) send(now);
      expect(sent - before).toBe(40 * factor);
    }
  });

  it("rests after a refusal, and counts those of a burst once", () => {
    const pace = createPace(1);
    for (let i = 0; i < 50; i++) pace.refused(0);
    expect(pace.isOver(1_999)).toBe(true);
    expect(pace.isOver(2_000)).toBe(false);
    let sent = 0;
    for (; !pace.isOver(4_000); sent++) pace.sent(4_000);
    // Half as many as before.
    expect(sent).toBeGreaterThan(39);
    expect(sent).toBeLessThan(60);
  });

  it(`never floods a gateway, also one that allows half of the default, and is far away (MODEL_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    for (let run = 0; run < runs(30); run++) {
      const pace = createPace(1);
      const limiter = new RateLimiter(random.pick([25, 50, 200]), 0);
      const latencyMs = random.below(500);
      /** When what was sent arrives, and its refusal comes back. */
      const arrivals: number[] = [];
      const refusals: number[] = [];
      let done = 0;
      for (let now = 0; now < 60_000; now++) {
        for (; arrivals[0] === now; arrivals.shift()) {
          if (limiter.admit(now)) done++;
          else {
            expect(limiter.isFlooding(now)).toBe(false);
            refusals.push(now + latencyMs);
          }
        }
        for (; refusals[0] === now; refusals.shift()) pace.refused(now);
        for (; !pace.isOver(now); pace.sent(now)) arrivals.push(now + latencyMs + 1);
      }
      expect(done).toBeGreaterThan(100);
    }
  });
});
