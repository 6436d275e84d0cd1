import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkId, type NormalFilter, normalFilter } from "../../src/client/filter.ts";
import type { PresenceFilter } from "../../src/client/types.ts";
import { CompiledFilter } from "../../src/core/views/compiled-filter.ts";
import { FilterSchema, SESSION_FIELDS } from "../../src/protocol/filter.ts";
import { filter } from "../model/arbitraries.ts";
import { runs, SEED } from "../support/seed.ts";

it("keeps fields that it does not know, for the gateway to say what is wrong with them", () => {
  const misspelt = { userId: ["bob"] } as PresenceFilter;
  expect(normalFilter(misspelt).filter).toEqual(misspelt);
  expect(normalFilter(misspelt).key).not.toBe(normalFilter({}).key);
});

/** The same with its keys and lists in another order, and texts as lists. */
function reversed(custom: object): object {
  const entries = Object.entries(custom).map(([key, values]) => [key, [values].flat().reverse()]);
  return Object.fromEntries(entries.reverse());
}

describe("a filter's key", () => {
  const filters = fc
    .tuple(
      filter,
      fc.option(fc.subarray(["online", "idle", "away", "busy", "dnd"] as const, { minLength: 1 })),
      fc.option(fc.subarray(SESSION_FIELDS)),
      fc.option(
        fc.dictionary(
          fc.constantFrom("page", "__proto__", "mood"),
          fc.oneof(fc.constantFrom("", "a"), fc.subarray(["", "a", "b"], { minLength: 1 })),
          { minKeys: 1 },
        ),
      ),
    )
    .map(([rest, status, fields, custom]): PresenceFilter => ({ ...rest, status, fields, custom }));
  const nulls = fc.subarray([
    "hasFocus",
    "isTyping",
    "userIds",
    "includeBackgroundSessions",
    "status",
    "custom",
    "fields",
    "includeInvisible",
  ] as const);
  /** Ways to write a filter, which may mean the same. */
  const way = fc.record({ nulls, isReversed: fc.boolean(), includeInvisible: fc.option(fc.boolean()) });
  type Way = typeof way extends fc.Arbitrary<infer T> ? T : never;
  const write = (filter: PresenceFilter, { nulls, isReversed, includeInvisible }: Way) => {
    const written: Record<string, unknown> = { ...filter, includeInvisible };
    for (const field of nulls) written[field] ??= null;
    if (!isReversed) return written as PresenceFilter;
    written.fields ??= SESSION_FIELDS;
    for (const [field, value] of Object.entries(written)) {
      // No more than five statuses are allowed.
      if (Array.isArray(value)) written[field] = [...value, ...(field === "status" ? [] : value)].reverse();
      else if (field === "custom" && value) written[field] = reversed(value);
    }
    return Object.fromEntries(Object.entries(written).reverse()) as PresenceFilter;
  };
  const compiled = (filter: PresenceFilter) => {
    const parsed = FilterSchema.parse(filter);
    return new CompiledFilter(parsed, { showsInvisible: parsed.includeInvisible ?? false }).key;
  };
  const wire = ({ filter }: NormalFilter) => JSON.parse(JSON.stringify(filter)) as PresenceFilter;

  // Else two of the client's views would be one of the gateway's, or one would be two.
  it(`is the same for two exactly if they are the same for the gateway (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(filters, fc.option(filters), way, way, (filter, other, one, another) => {
        const a = write(filter, one);
        const b = write(other ?? filter, another);
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
