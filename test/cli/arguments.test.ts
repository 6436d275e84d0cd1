import { InvalidArgumentError } from "commander";
import { describe, expect, test } from "vitest";
import { durationUpTo, readId, readIds, readPairs } from "../../src/cli/arguments.ts";

test("an id is checked", () => {
  expect(readId("alice")).toBe("alice");
  expect(() => readId("")).toThrow("1 to 255 characters");
  expect(() => readIds("a\nb")).toThrow(InvalidArgumentError);
  expect(readIds("b", readIds("a"))).toEqual(["a", "b"]);
});

describe("a duration", () => {
  const read = durationUpTo(3_600_000, "1h");
  test.each([
    ["1s", 1_000],
    ["15m", 900_000],
    ["1h", 3_600_000],
  ])("%s is %d ms", (text, ms) => {
    expect(read(text)).toBe(ms);
  });
  test.each(["0s", "61m", "soon", "", "10"])("cannot be %j", (text) => {
    expect(() => read(text)).toThrow("at most 1h");
  });
});

describe("pairs", () => {
  test("have all values of a name, and values may contain =", () => {
    const pairs = readPairs("c=d=e", readPairs("a=", readPairs("a=b")));
    expect([...pairs]).toEqual([
      ["a", ["b", ""]],
      ["c", ["d=e"]],
    ]);
  });
  test.each(["", "a", "=b"])("%j is none", (text) => {
    expect(() => readPairs(text)).toThrow("plan=gold");
  });
});
