import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { MAX_CUSTOM_BYTES, MAX_USER_CUSTOM_BYTES } from "../../../src/protocol/rules.ts";
import type { SessionPatch } from "../../../src/protocol/wire.ts";
import { customExcess } from "../../../src/server/gateway/custom-limits.ts";

/** `{"k0":"…","k1":"…"}` of that many bytes. */
function customOf(bytes: number): Record<string, string> {
  const custom: Record<string, string> = {};
  let left = bytes - 1;
  for (let i = 0; left > 0; i++) {
    const key = `k${i}`.padEnd(3, "_");
    const length = Math.min(512, left - 9);
    custom[key] = "x".repeat(left - 9 - length < 9 && left - 9 > length ? length - 9 : length);
    left -= 9 + custom[key].length;
  }
  expect(Buffer.byteLength(JSON.stringify(custom))).toBe(bytes);
  return custom;
}

describe("custom", () => {
  it("of a session may have so many bytes and keys, after the patch", () => {
    expect(customExcess(undefined, undefined, { custom: customOf(MAX_CUSTOM_BYTES) })).toBe(undefined);
    expect(customExcess(undefined, undefined, { custom: customOf(MAX_CUSTOM_BYTES + 1) })?.of).toBe(
      "session",
    );
    const table = new Table();
    const custom = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`k${i}`, ""]));
    table.open("s", "alice", "widget", patchState(NEW_SESSION, { custom }), undefined);
    const session = table.get("s")!;
    expect(customExcess(session, session.user, { custom: { more: "" } })?.of).toBe("session");
    expect(customExcess(session, session.user, { custom: { k0: null, more: "" } })).toBe(undefined);
    expect(customExcess(session, session.user, { custom: null })).toBe(undefined);
  });

  it("of all sessions of a user may have so many bytes, and what does not grow may stay", () => {
    const table = new Table();
    const count = MAX_USER_CUSTOM_BYTES / MAX_CUSTOM_BYTES;
    const patch = { custom: customOf(MAX_CUSTOM_BYTES) };
    const state = patchState(NEW_SESSION, patch);
    for (let i = 0; i < count; i++) table.open(`s${i}`, "alice", "widget", state, undefined);
    const session = table.get("s0")!;
    const { user } = session;
    const excess = (more: SessionPatch, freed?: number) => customExcess(undefined, user, more, freed)?.of;
    expect(user.customBytes).toBe(MAX_USER_CUSTOM_BYTES);
    expect(excess({})).toBe("user");
    expect(excess({}, MAX_CUSTOM_BYTES)).toBe(undefined);
    expect(excess(patch, MAX_CUSTOM_BYTES)).toBe(undefined);
    expect(excess(patch, MAX_CUSTOM_BYTES - 1)).toBe("user");
    expect(customExcess(session, user, { custom: { k0_: null } })).toBe(undefined);
    expect(customExcess(session, user, { custom: { k0_: "é".repeat(256) } })).toBe(undefined);
  });
});
