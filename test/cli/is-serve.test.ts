import { expect, it } from "vitest";
import { isServe } from "../../src/cli/is-serve.ts";

it.each<[readonly string[], boolean]>([
  [[], true],
  [["serve"], true],
  [["serve", "--help"], true],
  [["watch"], false],
  [["--version"], false],
  [["help", "serve"], false],
])("%j", (args, expected) => {
  expect(isServe(args)).toBe(expected);
});
