import { expect, it } from "vitest";
import {
  clockTime,
  dayAndTime,
  duration,
  fewDigits,
  lastMinutes,
  megabytes,
  plural,
  sinceDuration,
  sinceTime,
  wholeNumber,
} from "../../../src/dashboard/model/format.ts";

it.each([
  [0, "0 s"],
  [59, "59 s"],
  [60, "1 min 0 s"],
  [3_725, "1 h 2 min"],
  [90_061, "1 d 1 h"],
])("formats %d seconds as %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

it("shows a decimal place only below 10", () => {
  expect([0, 0.24, 9.99, 12.4].map(fewDigits)).toEqual(["0.0", "0.2", "10.0", "12"]);
});

it("groups the digits of large numbers", () => {
  expect(wholeNumber(1_234_567)).toBe("1,234,567");
  expect(megabytes(2_345_600_000)).toBe("2,346 MB");
});

it("uses the singular for one only", () => {
  expect([0, 1, 1_000].map((count) => plural(count, "user"))).toEqual(["0 users", "1 user", "1,000 users"]);
  expect(plural(2, "user matches", "users match")).toBe("2 users match");
});

it("shows a time of day with seconds", () => {
  expect(clockTime(new Date(2024, 0, 1, 7, 8, 9).getTime())).toBe("07:08:09");
});

it("says of a time that is only a bound that it is one", () => {
  const at = new Date(2024, 0, 1, 7, 8, 9).getTime();
  expect(sinceTime({ at, isExact: true })).toBe("07:08:09");
  expect(sinceTime({ at, isExact: false })).toBe("before 07:08:09");
  expect(sinceDuration({ at, isExact: true }, at + 125_000)).toBe("2 min");
  expect(sinceDuration({ at, isExact: false }, at + 125_000)).toBe("over 2 min");
  // The clock was set back.
  expect(sinceDuration({ at, isExact: true }, at - 5_000)).toBe("0 s");
});

it.each([
  [0, "the last minute"],
  [60, "the last minute"],
  [61, "the last 2 minutes"],
  [900, "the last 15 minutes"],
])("names a chart of %d seconds", (seconds, text) => {
  expect(lastMinutes(seconds)).toBe(text);
});

it("formats a time with its day", () => {
  expect(dayAndTime(new Date(2026, 2, 1, 14, 5).getTime())).toBe("1 Mar 2026, 14:05");
});
