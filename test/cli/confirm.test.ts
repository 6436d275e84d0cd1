import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { confirm } from "../../src/cli/confirm.ts";

test.each([
  ["y\n", true],
  [" YES \n", true],
  ["\n", false],
  ["yesterday\n", false],
  // The end of the input, as with Ctrl-D.
  [undefined, false],
])("%j means %s", async (answer, expected) => {
  const input = new PassThrough();
  const output = new PassThrough();
  const confirmed = confirm("Really?", input, output);
  input.end(answer);
  expect(await confirmed).toBe(expected);
  expect(String(output.read())).toContain("Really? [y/N] ");
});
