import { expect, it } from "vitest";
import { Reconciler } from "../../../src/server/cluster/reconciler.ts";

const GRACE_MS = 3_000;
const QUARANTINE_MS = 4_000;

/** A reconciler with one open case of each kind, whose grace period begins at 0. */
function reconcilerWithCases(): Reconciler {
  const reconciler = new Reconciler();
  reconciler.markEnded("ended");
  reconciler.begin();
  reconciler.addWithoutRow("no-row", "app");
  reconciler.addWithoutSession("no-session", "app");
  reconciler.quarantine("ended");
  reconciler.end(0);
  return reconciler;
}

it("gives out what is still open after the grace period, once", () => {
  const reconciler = reconcilerWithCases();
  const nothing = { withoutRow: [], withoutSession: [] };
  expect(reconciler.takeUnresolved(GRACE_MS - 1)).toEqual(nothing);
  expect(reconciler.takeUnresolved(GRACE_MS)).toEqual({
    withoutRow: [["no-row", "app"]],
    withoutSession: [["no-session", "app"]],
  });
  expect(reconciler.takeUnresolved(GRACE_MS)).toEqual(nothing);
});

it("releases quarantined rows that nobody has ended in time, and they count as alive then", () => {
  const reconciler = reconcilerWithCases();
  expect(reconciler.releaseQuarantined(QUARANTINE_MS - 1)).toBe(false);
  expect(reconciler.hasEnded("ended")).toBe(true);
  expect(reconciler.releaseQuarantined(QUARANTINE_MS)).toBe(true);
  expect(reconciler.hasEnded("ended")).toBe(false);
  expect(reconciler.releaseQuarantined(QUARANTINE_MS)).toBe(false);
});

it("closes every case of a session that a record names", () => {
  const reconciler = reconcilerWithCases();
  expect(reconciler.size).toBe(3);
  for (const sessionId of ["no-row", "no-session", "ended"]) reconciler.heard(sessionId);
  expect(reconciler.size).toBe(0);
  expect(reconciler.releaseQuarantined(QUARANTINE_MS)).toBe(false);
});

it("knows which sessions were named only while all rows are read", () => {
  const reconciler = new Reconciler();
  reconciler.heard("before");
  reconciler.begin();
  reconciler.heard("s");
  expect([reconciler.hasHeard("before"), reconciler.hasHeard("s")]).toEqual([false, true]);
  reconciler.end(0);
  expect(reconciler.hasHeard("s")).toBe(false);
});

it("drops all cases when all rows are read again", () => {
  const reconciler = reconcilerWithCases();
  reconciler.begin();
  expect(reconciler.size).toBe(0);
  reconciler.addWithoutRow("s", "app");
  // The grace period begins with the end of the reading.
  expect(reconciler.takeUnresolved(1_000_000).withoutRow).toEqual([]);
});
