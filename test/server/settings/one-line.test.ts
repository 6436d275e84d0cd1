import { expect, it } from "vitest";
import { oneLine, quote } from "../../../src/server/settings/one-line.ts";

it.each([
  ["plain", '"plain"'],
  ['a "b"\n', '"a \\"b\\"\\n"'],
  ["\u001b[31m", '"\\u001b[31m"'],
  ["\u0085\u2028\u2029", '"\\u{85}\\u{2028}\\u{2029}"'],
  ["right\u202eleft\u200b", '"right\\u{202e}left\\u{200b}"'],
  ["é👩", '"é👩"'],
])("the quote of %j acts on no terminal", (text, quoted) => {
  expect(quote(text)).toBe(quoted);
});

it("a quote has at most 80 characters of the text", () => {
  expect(quote("x".repeat(80))).toBe(`"${"x".repeat(80)}"`);
  expect(quote("x".repeat(81))).toBe(`"${"x".repeat(80)}…"`);
});

it("the message of a library is one line of at most 200 characters", () => {
  expect(oneLine("first\n  second\tthird\u2028fourth")).toBe("first second third fourth");
  expect(oneLine("a\u001bb")).toBe("a\\u{1b}b");
  expect(oneLine("x".repeat(300))).toBe(`${"x".repeat(200)}…`);
});
