import { expect, it } from "vitest";
import { makeId } from "../../src/core/ids.ts";
import { MADE_ID_LENGTH } from "../../src/protocol/rules.ts";

it("makes ids of the announced length and alphabet, no two alike", () => {
  const ids = Array.from({ length: 10_000 }, makeId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(new RegExp(`^[\\w-]{${MADE_ID_LENGTH}}$`));
  // Each of the 64 characters is used.
  expect(new Set(ids.join("")).size).toBe(64);
});
