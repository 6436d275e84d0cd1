import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChangeFold } from "../../../src/core/views/change-fold.ts";
import { runs, SEED } from "../../support/seed.ts";

const ENDLESS = Number.POSITIVE_INFINITY;

describe("a fold", () => {
  it("has each user once, with the last cause", () => {
    const fold = new ChangeFold(ENDLESS);
    fold.changed("alice", true, undefined);
    fold.changed("alice", true, "closed");
    fold.changed("bob", true, "timeout");
    fold.changed("bob", false, undefined);
    expect([...fold]).toEqual([
      ["alice", { wasIn: true, cause: "closed" }],
      ["bob", { wasIn: true, cause: undefined }],
    ]);
  });

  it("keeps nothing of users who came and left, however many", () => {
    const fold = new ChangeFold(1_000);
    for (let i = 0; i < 10_000; i++) {
      fold.changed(`guest${i}`, false, undefined);
      fold.changed(`guest${i}`, true, "closed");
    }
    expect(fold.isEmpty).toBe(true);
    expect(fold.hasOverflowed).toBe(false);
  });

  it("overflows once a diff would be too long, and begins again", () => {
    const fold = new ChangeFold(100);
    for (const userId of ["a", "b", "c", "d"]) fold.changed(userId, false, undefined);
    expect(fold.hasOverflowed).toBe(false);
    fold.changed("e", false, undefined);
    expect(fold).toMatchObject({ hasOverflowed: true, size: 0, isEmpty: false });
    fold.changed("e", true, "closed");
    expect(fold.size).toBe(0);
    fold.clear();
    expect(fold).toMatchObject({ hasOverflowed: false, isEmpty: true });
  });
});

it("leads from any state to any later one", () => {
  const step = fc.record({ userId: fc.constantFrom("a", "b", "c", "__proto__"), isIn: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const state = new Map<string, number>();
      const fold = new ChangeFold(ENDLESS);
      let entries = 0;
      const change = ({ userId, isIn }: { userId: string; isIn: boolean }) => {
        const wasIn = state.has(userId);
        if (isIn) {
          fold.changed(userId, wasIn, undefined);
          state.set(userId, ++entries);
        } else if (wasIn) {
          fold.changed(userId, true, "closed");
          state.delete(userId);
        }
      };
      before.forEach(change);
      fold.clear();
      const copy = new Map(state);
      after.forEach(change);
      for (const [userId, { cause }] of fold) {
        const entry = state.get(userId);
        expect(cause === undefined).toBe(entry !== undefined);
        if (entry === undefined) copy.delete(userId);
        else copy.set(userId, entry);
      }
      expect(new Map([...copy].sort())).toEqual(new Map([...state].sort()));
      // Only who was in then, or is in now.
      expect(fold.size).toBeLessThanOrEqual(4);
    }),
    { numRuns: runs(500), seed: SEED },
  );
});
