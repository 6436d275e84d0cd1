import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DashboardState,
  DEFAULT_STATE,
  formatState,
  isSameFilter,
  parseState,
  SORT_KEYS,
  VIEWS,
} from "../../../src/dashboard/model/dashboard-state.ts";
import { FILTER_STATUSES } from "../../../src/dashboard/model/status.ts";

const id = fc
  .string({ minLength: 1, maxLength: 255, unit: "grapheme" })
  .filter((text) => text.isWellFormed());
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const states: fc.Arbitrary<DashboardState> = fc.record({
  filter: fc
    .record({
      includeBackgroundSessions: maybe(fc.constant(true)),
      selectedConversationId: maybe(fc.oneof(fc.constant(null), id)),
      hasFocus: maybe(fc.boolean()),
      isTyping: maybe(fc.boolean()),
      status: maybe(fc.subarray([...FILTER_STATUSES], { minLength: 1 })),
      custom: maybe(
        fc.dictionary(id, fc.uniqueArray(fc.oneof(fc.constant(""), id), { minLength: 1 }), {
          minKeys: 1,
          noNullPrototype: true,
        }),
      ),
      userIds: maybe(fc.uniqueArray(id, { minLength: 1, maxLength: 5 })),
    })
    .map((filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))),
  view: fc.constantFrom(...VIEWS),
  search: fc.string({ unit: "grapheme" }).filter((text) => text.isWellFormed()),
  sort: fc.record({ key: fc.constantFrom(...SORT_KEYS), isDescending: fc.boolean() }),
});

describe("the state in the address", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(parseState(formatState(state))).toEqual(state);
      }),
    );
  });

  it("is short, readable and empty for the default state", () => {
    expect(formatState(DEFAULT_STATE)).toBe("");
    const filter = { isTyping: true, hasFocus: false, selectedConversationId: "c 1", userIds: ["a", "b&c"] };
    expect(formatState({ ...DEFAULT_STATE, filter })).toBe(
      "#conversation=c+1&focus=no&typing=yes&user=a&user=b%26c",
    );
    expect(formatState({ ...DEFAULT_STATE, filter: { selectedConversationId: null } })).toBe(
      "#conversation=",
    );
  });

  it("has the statuses and custom fields of the filter", () => {
    const filter = { status: ["idle", "dnd"] as const, custom: { plan: ["gold", "a=b"], "x.y": [""] } };
    const fragment = "#status=idle&status=dnd&custom.plan=gold&custom.plan=a%3Db&custom.x.y=";
    expect(formatState({ ...DEFAULT_STATE, filter })).toBe(fragment);
    expect(parseState(fragment).filter).toEqual(filter);
    expect(parseState("#status=gone&status=invisible&custom.=x&custom=y")).toEqual(DEFAULT_STATE);
    expect(Object.keys(parseState("#custom.__proto__=x").filter.custom!)).toEqual(["__proto__"]);
  });

  it("is read without its invalid fields", () => {
    expect(parseState("")).toEqual(DEFAULT_STATE);
    expect(
      parseState("#focus=maybe&typing=&background=no&view=map&user=&sort=up.desc&color=red&%zz"),
    ).toEqual(DEFAULT_STATE);
    expect(parseState("#user=a&user=a&sort=status.up").filter).toEqual({ userIds: ["a"] });
  });
});

it("filters are the same whatever the order of what they list", () => {
  expect(
    isSameFilter(
      { status: ["idle", "busy"], custom: { a: ["1", "2"], b: "3" } },
      { status: ["busy", "idle"], custom: { b: ["3"], a: ["2", "1"] } },
    ),
  ).toBe(true);
  expect(isSameFilter({ custom: { a: "1" } }, { custom: { a: "2" } })).toBe(false);
  expect(isSameFilter({ status: ["idle"] }, {})).toBe(false);
  expect(isSameFilter({ userIds: ["a", "b"] }, { userIds: ["b", "a"] })).toBe(true);
  expect(isSameFilter({}, { selectedConversationId: null })).toBe(false);
  expect(isSameFilter({ hasFocus: false }, {})).toBe(false);
});
