import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { isWriterName, writerNames } from "../../../src/server/cluster/writer-name.ts";

it("an older process has the first names", () => {
  const older = writerNames(Date.UTC(2026, 0, 1), makeId);
  const newer = writerNames(Date.UTC(2026, 0, 1, 0, 0, 0, 1), makeId);
  for (let i = 0; i < 100; i++) expect(older() < newer()).toBe(true);
  expect(writerNames(Date.UTC(2400, 0), makeId)() > newer()).toBe(true);
});

it("no two names are equal, and all are as long as an id", () => {
  const name = writerNames(Date.UTC(2026, 0, 1), makeId);
  const names = Array.from({ length: 1_000 }, name);
  expect(new Set(names).size).toBe(1_000);
  for (const each of names) expect(each).toMatch(/^0[a-z0-9]{8}[\w-]{12}$/);
});

it("what nodes write can be a name, and nothing that is too long or has other characters", () => {
  expect(isWriterName(writerNames(Date.UTC(2026, 0, 1), makeId)())).toBe(true);
  for (const text of ["", "a b", "é", "x".repeat(65)]) expect(isWriterName(text)).toBe(false);
});
