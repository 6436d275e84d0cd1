import { describe, expect, it } from "vitest";
import { moveCell } from "../../../src/dashboard/parts/move-cell.ts";
import { COLUMNS } from "../../../src/dashboard/parts/table-columns.ts";
import { rowOf, session, value } from "../model/values.ts";

const ROWS = Array.from({ length: 10 }, (_, i) => rowOf(`user-${i}`, value([session()])));
const LAST = COLUMNS.length - 1;
const PAGE = 4;

/** The index and the column that a key moves to. */
function move(key: string, index: number, column: number, withControl = false, rows = ROWS) {
  const cell = moveCell(key, withControl, index, column, rows, PAGE);
  return cell && [rows.findIndex(({ userId }) => userId === cell.userId), cell.column];
}

describe("the active cell", () => {
  it.each([
    ["ArrowDown", [3, 2], [4, 2]],
    ["ArrowUp", [3, 2], [2, 2]],
    ["ArrowRight", [3, 2], [3, 3]],
    ["ArrowLeft", [3, 2], [3, 1]],
    ["PageDown", [3, 2], [7, 2]],
    ["PageUp", [7, 2], [3, 2]],
  ] as const)("%s moves it from %j to %j", (key, [index, column], to) => {
    expect(move(key, index, column)).toEqual(to);
  });

  it.each([
    ["ArrowDown", [9, 2], [9, 2]],
    ["ArrowUp", [0, 2], [0, 2]],
    ["ArrowRight", [3, LAST], [3, LAST]],
    ["ArrowLeft", [3, 0], [3, 0]],
    ["PageDown", [8, 2], [9, 2]],
    ["PageUp", [2, 2], [0, 2]],
  ] as const)("%s keeps it in the table at %j", (key, [index, column], to) => {
    expect(move(key, index, column)).toEqual(to);
  });

  it("Home and End move it to the ends of the row, and from there to the ends of the table", () => {
    expect(move("Home", 3, 2)).toEqual([3, 0]);
    expect(move("Home", 3, 0)).toEqual([0, 0]);
    expect(move("End", 3, 2)).toEqual([3, LAST]);
    expect(move("End", 3, LAST)).toEqual([9, LAST]);
  });

  it("Home and End with Control move it to the ends of the table at once", () => {
    expect(move("Home", 3, 2, true)).toEqual([0, 0]);
    expect(move("End", 3, 2, true)).toEqual([9, LAST]);
  });

  it("begins at the first row", () => {
    expect(move("ArrowDown", -1, 0)).toEqual([0, 0]);
    expect(move("ArrowRight", -1, 0)).toEqual([0, 1]);
  });

  it("is not moved by another key, and not in an empty table", () => {
    expect(move("a", 3, 2)).toBeUndefined();
    expect(move("ArrowDown", -1, 0, false, [])).toBeUndefined();
  });
});
