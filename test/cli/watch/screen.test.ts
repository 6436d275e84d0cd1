import { beforeEach, expect, test } from "vitest";
import { Screen } from "../../../src/cli/watch/screen.ts";

let written: string[];
const screenOf = (columns: number, rows: number) =>
  new Screen({ columns, rows, write: (text) => written.push(text) });
/** The drawn lines without the codes of the screen. */
const linesOf = (text: string) => text.replace(/\x1b\[[?\d;]*\w/g, "").split("\r\n");

beforeEach(() => {
  written = [];
});

test("enters the alternate screen once and leaves it once", () => {
  const screen = screenOf(20, 5);
  screen.leave();
  expect(written).toEqual([]);
  screen.draw([{ text: "one" }]);
  screen.draw([{ text: "two" }]);
  screen.leave();
  screen.leave();
  expect(written.filter((text) => text.includes("\x1b[?1049h"))).toHaveLength(1);
  expect(written.filter((text) => text.includes("\x1b[?1049l"))).toHaveLength(1);
  expect(written[0]).toMatch(/^\x1b\[\?1049h\x1b\[\?25l/);
  expect(written.at(-1)).toBe("\x1b[?7h\x1b[?25h\x1b[?1049l");
});

test("draws no more than fits", () => {
  screenOf(4, 2).draw([{ text: "a long line" }, { text: "two" }, { text: "three" }]);
  expect(linesOf(written.join(""))).toEqual(["a l…", "two"]);
});

test("clears what an earlier drawing left below", () => {
  const screen = screenOf(20, 5);
  screen.draw([{ text: "one" }, { text: "two" }]);
  screen.draw([{ text: "one" }]);
  expect(written[1]).toContain("one\r\n\x1b[J");
});

test("shows control characters of a text as escapes", () => {
  screenOf(80, 5).draw([{ text: "\x1b]0;title\x07", isBold: true }]);
  expect(linesOf(written.join(""))[0]).toBe("\\u{1b}]0;title\\u{7}");
});

test("uses a default size for a terminal without one", () => {
  expect(screenOf(0, 0).size).toEqual({ columns: 80, rows: 24 });
});
