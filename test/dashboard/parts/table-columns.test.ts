import { expect, it } from "vitest";
import { SORT_KEYS } from "../../../src/dashboard/model/dashboard-state.ts";
import { COLUMNS } from "../../../src/dashboard/parts/table-columns.ts";

it("every sort key belongs to one column, so that the page can name it", () => {
  const keys = COLUMNS.flatMap(({ sort }) => sort ?? []);
  expect(keys.toSorted()).toEqual(SORT_KEYS.toSorted());
});

it("no two columns have the same name or title", () => {
  expect(new Set(COLUMNS.map(({ name }) => name)).size).toBe(COLUMNS.length);
  expect(new Set(COLUMNS.map(({ title }) => title)).size).toBe(COLUMNS.length);
});
