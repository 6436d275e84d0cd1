import { describe, expect, it } from "vitest";
import {
  addPair,
  type CustomFilter,
  pairsOf,
  readPair,
  removePair,
} from "../../../src/dashboard/model/custom-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

it.each([
  ["plan=gold", ["plan", "gold"]],
  [" plan = gold ", ["plan", "gold"]],
  ["plan=", ["plan", ""]],
  ["a=b=c", ["a", "b=c"]],
  ["plan", undefined],
  ["=gold", undefined],
  ["", undefined],
])("reads %j as %j", (text, pair) => {
  expect(readPair(text)).toEqual(pair);
});

describe("a filter", () => {
  it("has each value once", () => {
    const filter = addPair(addPair({ plan: "gold" }, ["plan", "free"])!, ["plan", "gold"])!;
    expect(filter).toEqual({ plan: ["gold", "free"] });
    expect(pairsOf(filter)).toEqual([
      ["plan", "gold"],
      ["plan", "free"],
    ]);
  });

  it("is gone without its last value", () => {
    expect(removePair({ plan: ["gold", "free"] }, ["plan", "gold"])).toEqual({ plan: ["free"] });
    expect(removePair({ plan: ["gold"], team: "a" }, ["plan", "gold"])).toEqual({ team: ["a"] });
    expect(removePair({ plan: ["gold"] }, ["plan", "gold"])).toBeUndefined();
  });

  it("any name is one, also that of a property", () => {
    expect(pairsOf(addPair({}, ["__proto__", "x"])!)).toEqual([["__proto__", "x"]]);
  });

  it("takes as much as the gateway does", () => {
    let filter: CustomFilter = {};
    for (const name of ["a", "b", "c", "d"]) {
      for (let i = 0; i < 16; i++) filter = addPair(filter, [name, String(i)])!;
    }
    expect(FilterSchema.safeParse({ userIds: [], custom: filter }).success).toBe(true);
    expect(addPair(filter, ["e", "0"])).toBeUndefined();
    expect(addPair(filter, ["a", "16"])).toBeUndefined();
    expect(addPair(filter, ["a", "15"])).toEqual(filter);
  });
});
