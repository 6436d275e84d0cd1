import { describe, expect, it } from "vitest";
import { scrollTopFor, windowOf } from "../../../src/dashboard/model/window-of.ts";

describe("windowOf", () => {
  it.each([
    [0, 500, 36, 20_000, 0, 22],
    [36 * 100, 500, 36, 20_000, 92, 122],
    [36 * 20_000 - 500, 500, 36, 20_000, 19_978, 20_000],
    [-50, 500, 36, 3, 0, 3],
    [9_999_999, 500, 36, 10, 10, 10],
    [0, 500, 36, 0, 0, 0],
  ])("renders few rows at scroll position %d with height %d", (top, height, rowHeight, count, first, end) => {
    expect(windowOf(top, height, rowHeight, count)).toEqual({ first, end });
  });
});

describe("scrollTopFor", () => {
  it.each([
    ["stays if the row is visible", 5, 0, 0],
    ["scrolls down until the row ends at the bottom", 13, 0, 4],
    ["scrolls up until the row begins at the top", 2, 300, 72],
  ])("%s", (_name, index, scrollTop, expected) => {
    expect(scrollTopFor(index, scrollTop, 500, 36)).toBe(expected);
  });
});
