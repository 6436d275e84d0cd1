import { expect, test } from "vitest";
import { parseDuration } from "../../src/cli/duration.ts";

test.each([
  ["90s", 90],
  ["15m", 900],
  ["1h", 3_600],
  ["7d", 604_800],
  ["2w", 1_209_600],
])("%s is a duration", (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(["", "1", "h", "0s", "-1h", "1.5h", "1 h", "1h30m", "1y", "99999d", "never", "1H"])(
  "%j is not a duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);
