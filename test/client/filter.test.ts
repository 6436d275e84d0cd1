import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkId, type NormalFilter, normalFilter } from "../../src/client/filter.ts";
import type { PresenceFilter } from "../../src/client/types.ts";
import { CompiledFilter } from "../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { filter as filters } from "../model/arbitraries.ts";
import { runs, SEED } from "../support/seed.ts";

it("keeps fields that it does not know, for the gateway to say what is wrong with them", () => {
  const misspelt = { userId: ["bob"] } as PresenceFilter;
  expect(normalFilter(misspelt).filter).toEqual(misspelt);
  expect(normalFilter(misspelt).key).not.toBe(normalFilter({}).key);
});

describe("a filter's key", () => {
  const given = fc
    .tuple(
      filters,
      fc.subarray(["hasFocus", "isTyping", "userIds", "includeBackgroundSessions"] as const),
      fc.boolean(),
    )
    .map(([filter, nulls, isReversed]) => {
      const written: Record<string, unknown> = { ...filter };
      for (const field of nulls) written[field] ??= null;
      if (isReversed && filter.userIds) written.userIds = [...filter.userIds, ...filter.userIds].reverse();
      const entries = Object.entries(written);
      return Object.fromEntries(isReversed ? entries.reverse() : entries) as PresenceFilter;
    });
  const compiled = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter)).key;
  const wire = ({ filter }: NormalFilter) => JSON.parse(JSON.stringify(filter));

  // Else two of the client's views would be one of the gateway's, or one would be two.
  it(`is the same for two exactly if they are the same for the gateway (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(given, given, (a, b) => {
        expect(normalFilter(a).key === normalFilter(b).key).toBe(compiled(a) === compiled(b));
        expect(compiled(wire(normalFilter(a)))).toBe(compiled(a));
      }),
      { numRuns: runs(3_000), seed: SEED },
    );
  });

  it("belongs to a copy, which nobody changes later", () => {
    const userIds = ["b", "a"];
    const { filter } = normalFilter({ userIds });
    userIds.push("c");
    expect(filter.userIds).toEqual(["a", "b"]);
  });
});

describe("an id that the app gives", () => {
  it.each(["a", "__proto__", "x".repeat(255), "é€😀"])("may be %j", (id) => {
    expect(() => checkId(id, "appId")).not.toThrow();
  });

  it.each(["", "x".repeat(256), "a\u0000", "\ud800", 5, null, undefined])(
    "is a TypeError if it is %j",
    (id) => {
      expect(() => checkId(id, "appId")).toThrow(new TypeError("bad appId"));
    },
  );
});
