import { expect, it } from "vitest";
import { byUserId } from "../../../src/core/collections/by-user-id.ts";

it("any id is a key like any other", () => {
  const values = byUserId<number>();
  expect(values.toString).toBeUndefined();
  for (const [i, userId] of ["__proto__", "constructor", "1", "alice"].entries()) values[userId] = i;
  expect(JSON.stringify(values)).toBe('{"1":2,"__proto__":0,"constructor":1,"alice":3}');
});
