import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { wholeNumber } from "../../src/cli/whole-number.ts";

const parse = wholeNumber(500);

test.each([
  ["1", 1],
  ["500", 500],
  ["007", 7],
])("%j is %d", (text, value) => {
  expect(parse(text)).toBe(value);
});

test.each(["", "0", "501", "-1", "1.5", "1e2", " 1", "0x10", "many", "9999999999"])(
  "%j is not a whole number from 1 to 500",
  (text) => {
    expect(() => parse(text)).toThrow(InvalidArgumentError);
    expect(() => parse(text)).toThrow("It must be a whole number from 1 to 500.");
  },
);
