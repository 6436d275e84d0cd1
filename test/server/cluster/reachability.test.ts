import { describe, expect, it } from "vitest";
import { Reachability } from "../../../src/server/cluster/reachability.ts";

const LEASE_MS = 10_000;
const CATCH_UP_MS = 3_000;
const MAX_PATIENCE_MS = 60_000;

/** One that has reached the others, lost them at 1000 and reached them again at 2000. */
function reachedAgain(leaseMs = LEASE_MS): Reachability {
  const reachability = new Reachability(leaseMs);
  reachability.reached(0);
  reachability.lost(1_000);
  reachability.reached(2_000);
  return reachability;
}

describe("failures", () => {
  it("are detected at once after the start, for there is nothing to catch up with", () => {
    const reachability = new Reachability(LEASE_MS);
    expect(reachability.canDetectFailures(0)).toBe(false);
    reachability.reached(0);
    expect(reachability.canDetectFailures(0)).toBe(true);
  });

  it("are not detected while the others are out of reach", () => {
    const reachability = new Reachability(LEASE_MS);
    reachability.reached(0);
    reachability.lost(1_000);
    expect(reachability.canDetectFailures(1e9)).toBe(false);
  });

  it("are detected again when the others have had time to write what they did", () => {
    const reachability = reachedAgain();
    expect(reachability.canDetectFailures(2_000 + CATCH_UP_MS - 1)).toBe(false);
    expect(reachability.canDetectFailures(2_000 + CATCH_UP_MS)).toBe(true);
    expect(reachedAgain(500).canDetectFailures(2_500)).toBe(true);
  });
});

describe("sessions without a socket", () => {
  it("may expire on a node that has never had others", () => {
    expect(new Reachability(LEASE_MS).canExpireSessions(0, true, Number.POSITIVE_INFINITY)).toBe(true);
  });

  it("expire when this node knows what the others did", () => {
    const reachability = reachedAgain();
    expect(reachability.canExpireSessions(2_000 + CATCH_UP_MS - 1, true, Number.POSITIVE_INFINITY)).toBe(
      false,
    );
    expect(reachability.canExpireSessions(2_000 + CATCH_UP_MS, true, Number.POSITIVE_INFINITY)).toBe(true);
  });

  it("do not expire while this node waits to read back what it wrote", () => {
    expect(reachedAgain().canExpireSessions(2_000 + CATCH_UP_MS, false, Number.POSITIVE_INFINITY)).toBe(
      false,
    );
  });

  it("do not expire before each other node was heard from again", () => {
    const later = 2_000 + CATCH_UP_MS;
    expect(reachedAgain().canExpireSessions(later, true, 2_000)).toBe(false);
    expect(reachedAgain().canExpireSessions(later, true, 2_001)).toBe(true);
  });

  it("expire when this node has waited for the others long enough", () => {
    const reachability = new Reachability(LEASE_MS);
    reachability.reached(0);
    reachability.lost(1_000);
    // That it is lost once more does not begin the wait again.
    reachability.lost(2_000);
    expect(reachability.canExpireSessions(1_000 + MAX_PATIENCE_MS, true, Number.POSITIVE_INFINITY)).toBe(
      false,
    );
    expect(reachability.canExpireSessions(1_001 + MAX_PATIENCE_MS, false, Number.POSITIVE_INFINITY)).toBe(
      true,
    );
  });
});

describe("a full Redis", () => {
  it("is as if the others were out of reach", () => {
    const reachability = new Reachability(LEASE_MS);
    reachability.reached(0);
    reachability.wrote(true, 100);
    expect([reachability.isRedisFull, reachability.canDetectFailures(100)]).toEqual([true, false]);
    reachability.reached(200);
    expect(reachability.canDetectFailures(1e9)).toBe(false);
  });

  it("has room again when it has refused nobody for a second", () => {
    const reachability = new Reachability(LEASE_MS);
    reachability.wrote(true, 0);
    reachability.wrote(false, 900);
    reachability.wrote(true, 950);
    reachability.wrote(false, 1_949);
    expect(reachability.isRedisFull).toBe(true);
    reachability.wrote(false, 1_950);
    expect(reachability.isRedisFull).toBe(false);
  });
});
