import { expect, test } from "vitest";
import { localTime } from "../../src/cli/local-time.ts";

test("has the year first, in the time zone of the machine", () => {
  expect(localTime(new Date(2026, 2, 1, 14, 5, 0).getTime())).toBe("2026-03-01 14:05:00");
});
