import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as limits from "../../src/client/limits.ts";

it("times that depend on each other fit", () => {
  // A typing user is told of again before it ends here, and it ends here before the gateway forgets it.
  expect(limits.TYPING_REPEAT_MS).toBeLessThan(limits.TYPING_IDLE_MS);
  expect(limits.TYPING_IDLE_MS).toBeLessThan(10_000);
  expect(limits.USEFUL_AFTER_MS).toBeLessThan(limits.GOOD_AFTER_MS);
  expect(limits.FIRST_WAIT_MS).toBeLessThan(limits.LONGEST_WAIT_MS);
  expect(limits.MIN_HEARTBEAT_MS).toBeLessThan(limits.MAX_WAIT_MS);
  // A late timer is told from a lost answer.
  expect(limits.SLEPT_MS).toBeLessThan(limits.PONG_TIMEOUT_MS);
});

it("the README says the same", () => {
  const text = readFileSync(new URL("../../src/client/README.md", import.meta.url), "utf8");
  const seconds = (ms: number) => `${ms / 1_000} s`;
  expect(text).toContain(`sent at most every ${seconds(limits.TYPING_REPEAT_MS)}`);
  expect(text).toContain(`ends ${seconds(limits.TYPING_IDLE_MS)} after the last call`);
  expect(text).toContain(`at most ${1_000 / limits.UPDATE_INTERVAL_MS} a second`);
  expect(text).toContain(`(${limits.MAX_USERS.toLocaleString("en")})`);
  expect(text).toContain(`later up to ${seconds(limits.LONGEST_WAIT_MS)} apart`);
  expect(text).toContain(`no answer within ${seconds(limits.PONG_TIMEOUT_MS)}`);
});
