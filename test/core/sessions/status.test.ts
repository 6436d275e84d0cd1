import { describe, expect, it } from "vitest";
import {
  ANY_STATUS,
  DEFAULT_STATUS,
  effectiveStatus,
  isDefaultStatus,
  isSameStatus,
  patchStatus,
  STATUS_BIT,
  statusOfBit,
} from "../../../src/core/sessions/status.ts";

describe("a change of a status", () => {
  const BUSY = { availability: "busy", text: "in a call", emoji: "📞", expiresAt: 5_000 } as const;

  it("keeps what it leaves out", () => {
    expect(patchStatus(BUSY, {}, 1_000)).toEqual(BUSY);
    expect(patchStatus(BUSY, { text: "lunch" }, 1_000)).toEqual({ ...BUSY, text: "lunch" });
  });

  it("resets what is null, and an empty text is none", () => {
    expect(patchStatus(BUSY, { availability: null, text: null, emoji: null, expiresInMs: null }, 1)).toEqual(
      DEFAULT_STATUS,
    );
    expect(patchStatus(BUSY, { text: "", emoji: "" }, 1)).toEqual({
      ...BUSY,
      text: undefined,
      emoji: undefined,
    });
  });

  it("ends in whole milliseconds", () => {
    expect(patchStatus(DEFAULT_STATUS, { expiresInMs: 1_000 }, 10.75).expiresAt).toBe(1_010);
  });

  it("is none if every field is the same", () => {
    expect(isSameStatus(BUSY, { ...BUSY })).toBe(true);
    for (const field of ["availability", "text", "emoji", "expiresAt"] as const) {
      expect(isSameStatus(BUSY, { ...BUSY, [field]: DEFAULT_STATUS[field] })).toBe(false);
    }
    expect(isDefaultStatus({ ...DEFAULT_STATUS })).toBe(true);
    expect(isDefaultStatus(BUSY)).toBe(false);
  });
});

it("what is declared hides whether the user is idle", () => {
  for (const availability of ["away", "busy", "dnd", "invisible"] as const) {
    expect(effectiveStatus(availability, true)).toBe(availability);
    expect(effectiveStatus(availability, false)).toBe(availability);
  }
  expect(effectiveStatus("available", true)).toBe("idle");
  expect(effectiveStatus("available", false)).toBe("online");
});

it("each status has a bit of its own", () => {
  const bits = Object.values(STATUS_BIT);
  expect(bits.reduce((sum, bit) => sum + bit, 0)).toBe(ANY_STATUS);
  expect(bits.reduce((set, bit) => set | bit, 0)).toBe(ANY_STATUS);
  for (const [status, bit] of Object.entries(STATUS_BIT)) expect(statusOfBit(bit)).toBe(status);
});
