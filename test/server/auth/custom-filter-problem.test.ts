import { expect, it } from "vitest";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { customFilterProblem } from "../../../src/server/auth/custom-filter-problem.ts";

const problemOf = (filter: object, indexedCustom: string[] = []) =>
  customFilterProblem({ indexedCustom }, FilterSchema.parse(filter))?.path;

it("asks for an index only if nothing else covers the filter", () => {
  expect(problemOf({})).toBeUndefined();
  expect(problemOf({ custom: { page: "x" } })).toBe("custom");
  expect(problemOf({ custom: { page: "x" } }, ["mood"])).toBe("custom");
  expect(problemOf({ custom: { page: "x", mood: "y" } }, ["mood"])).toBeUndefined();
  expect(problemOf({ custom: { page: "x" }, userIds: [] })).toBeUndefined();
  expect(problemOf({ custom: { page: "x" }, selectedConversationId: null })).toBeUndefined();
});
