import type { Row } from "../model/row.ts";
import { COLUMNS } from "./table-columns.ts";

export interface Cell {
  readonly userId: string;
  /** Index of the column, from 0. */
  readonly column: number;
}

/**
 * The cell that a key makes active; undefined for a key that moves nothing. `index` is -1 if no cell is
 * active.
 */
export function moveCell(
  key: string,
  withControl: boolean,
  index: number,
  column: number,
  rows: readonly Row[],
  page: number,
): Cell | undefined {
  const last = rows.length - 1;
  const to = (row: number, toColumn = column): Cell => ({
    userId: rows[Math.max(0, Math.min(row, last))]!.userId,
    column: Math.max(0, Math.min(toColumn, COLUMNS.length - 1)),
  });
  if (last < 0) return undefined;
  switch (key) {
    case "ArrowDown":
      return to(index + 1);
    case "ArrowUp":
      return to(index - 1);
    case "PageDown":
      return to(index + page);
    case "PageUp":
      return to(index - page);
    case "ArrowRight":
      return to(index, column + 1);
    case "ArrowLeft":
      return to(index, column - 1);
    case "Home":
      return to(withControl || column === 0 ? 0 : index, 0);
    case "End":
      return to(withControl || column === COLUMNS.length - 1 ? last : index, COLUMNS.length - 1);
    default:
      return undefined;
  }
}
