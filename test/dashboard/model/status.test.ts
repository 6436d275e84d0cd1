import { expect, it } from "vitest";
import {
  AVAILABILITIES,
  EXPIRIES,
  FILTER_STATUSES,
  MAX_STATUS_EMOJI,
  MAX_STATUS_TEXT,
} from "../../../src/dashboard/model/status.ts";
import { VISIBLE_STATUSES } from "../../../src/protocol/filter.ts";
import { StatusSchema } from "../../../src/protocol/status.ts";

it("has the statuses that the gateway has", () => {
  expect(FILTER_STATUSES).toEqual(VISIBLE_STATUSES);
});

it("the gateway takes all that the page can set", () => {
  for (const availability of AVAILABILITIES) {
    for (const [expiresInMs] of EXPIRIES) {
      const text = "x".repeat(MAX_STATUS_TEXT);
      const emoji = "x".repeat(MAX_STATUS_EMOJI);
      expect(StatusSchema.safeParse({ availability, expiresInMs, text, emoji }).success).toBe(true);
    }
  }
  expect(StatusSchema.safeParse({ text: "x".repeat(MAX_STATUS_TEXT + 1) }).success).toBe(false);
  expect(StatusSchema.safeParse({ emoji: "x".repeat(MAX_STATUS_EMOJI + 1) }).success).toBe(false);
});
