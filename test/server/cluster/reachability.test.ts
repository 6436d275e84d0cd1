import { describe, expect, it } from "vitest";
import { QuorumTracker } from "../../../src/server/cluster/reachability.ts";

const LEASE_MS = 10_000;
const CATCH_UP_MS = 3_000;
const MAX_PATIENCE_MS = 60_000;

/** A tracker that has reached the others, lost them at 1000 and reached them again at 2000. */
function reachedAgain(leaseMs = LEASE_MS): QuorumTracker {
  const tracker = new QuorumTracker(leaseMs);
  tracker.reached(0);
  tracker.lost(1_000);
  tracker.reached(2_000);
  return tracker;
}

describe("failures", () => {
  it("are detected at once after the start, for there is nothing to catch up with", () => {
    const tracker = new QuorumTracker(LEASE_MS);
    expect(tracker.canDetectFailures(0)).toBe(false);
    tracker.reached(0);
    expect(tracker.canDetectFailures(0)).toBe(true);
  });

  it("are not detected while the others are out of reach", () => {
    const tracker = new QuorumTracker(LEASE_MS);
    tracker.reached(0);
    tracker.lost(1_000);
    expect(tracker.canDetectFailures(1e9)).toBe(false);
  });

  it("are detected again when the others have had time to write what they did", () => {
    const tracker = reachedAgain();
    expect(tracker.canDetectFailures(2_000 + CATCH_UP_MS - 1)).toBe(false);
    expect(tracker.canDetectFailures(2_000 + CATCH_UP_MS)).toBe(true);
    expect(reachedAgain(500).canDetectFailures(2_500)).toBe(true);
  });
});

describe("sessions without a socket", () => {
  it("may expire on a node that has never had others", () => {
    expect(new QuorumTracker(LEASE_MS).canExpireSessions(0)).toBe(true);
  });

  it("expire when this node knows what the others did", () => {
    const tracker = reachedAgain();
    expect(tracker.canExpireSessions(2_000 + CATCH_UP_MS - 1)).toBe(false);
    expect(tracker.canExpireSessions(2_000 + CATCH_UP_MS)).toBe(true);
  });

  it("expire when this node has waited for the others long enough", () => {
    const tracker = new QuorumTracker(LEASE_MS);
    tracker.reached(0);
    tracker.lost(1_000);
    // That it is lost once more does not begin the wait again.
    tracker.lost(2_000);
    expect(tracker.canExpireSessions(1_000 + MAX_PATIENCE_MS)).toBe(false);
    expect(tracker.canExpireSessions(1_001 + MAX_PATIENCE_MS)).toBe(true);
  });
});

describe("a full Redis", () => {
  it("is as if the others were out of reach", () => {
    const tracker = new QuorumTracker(LEASE_MS);
    tracker.reached(0);
    tracker.wrote(true, 100);
    expect([tracker.isFull, tracker.canDetectFailures(100)]).toEqual([true, false]);
    tracker.reached(200);
    expect(tracker.canDetectFailures(1e9)).toBe(false);
  });

  it("has room again when it has refused nobody for a second", () => {
    const tracker = new QuorumTracker(LEASE_MS);
    tracker.wrote(true, 0);
    tracker.wrote(false, 900);
    tracker.wrote(true, 950);
    tracker.wrote(false, 1_949);
    expect(tracker.isFull).toBe(true);
    tracker.wrote(false, 1_950);
    expect(tracker.isFull).toBe(false);
  });
});
