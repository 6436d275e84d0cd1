import { describe, expect, it } from "vitest";
import {
  isBlank,
  isSameProfile,
  MAX_VERSION,
  NO_PROFILE,
  NODE_NUMBERS,
  nextVersion,
  versionAfter,
} from "../../../src/core/sessions/profile.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";

describe("the version of a change", () => {
  it(`is higher than the one before, later for a later time, and names its node (MODEL_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    let before = 0;
    for (let step = 0; step < 1_000; step++) {
      // The clocks of nodes go wrong, and back.
      const wallNow = 1_780_000_000_000 + random.below(10_000) + 0.5;
      const nodeNumber = random.below(NODE_NUMBERS);
      const version = nextVersion(before, wallNow, nodeNumber);
      expect(Number.isSafeInteger(version)).toBe(true);
      expect(version).toBeGreaterThan(before);
      expect(version).toBeGreaterThanOrEqual(Math.floor(wallNow) * NODE_NUMBERS);
      expect(version % NODE_NUMBERS).toBe(nodeNumber);
      before = version;
    }
  });

  it("does not pass the highest there is", () => {
    expect(nextVersion(MAX_VERSION, 1, 5)).toBe(MAX_VERSION);
    expect(versionAfter(MAX_VERSION)).toBe(MAX_VERSION);
  });

  it("that a session has left behind is below whatever was declared elsewhere since the one before", () => {
    const before = nextVersion(0, 1_780_000_000_000, 1_022);
    expect(versionAfter(before)).toBeGreaterThan(before);
    // In the next millisecond, by the clock of another node that is an hour late.
    for (const wallNow of [1_780_000_000_001, 1_780_000_000_000 - 3_600_000]) {
      expect(versionAfter(before)).toBeLessThan(nextVersion(before, wallNow, 0));
    }
  });
});

it("a profile that says nothing is blank, and versions and times of use are not what it says", () => {
  const blank = { status: { ...DEFAULT_STATUS }, lastSeenAt: undefined, version: 7, usedAt: 8 };
  expect(isBlank(blank)).toBe(true);
  expect(isSameProfile(blank, NO_PROFILE)).toBe(true);
  for (const said of [
    { lastSeenAt: 0 },
    { status: { ...DEFAULT_STATUS, text: "x" } },
    { status: { ...DEFAULT_STATUS, expiresAt: 1 } },
  ]) {
    expect(isBlank({ ...blank, ...said })).toBe(false);
    expect(isSameProfile({ ...blank, ...said }, blank)).toBe(false);
  }
});
