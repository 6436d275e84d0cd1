import { describe, expect, it } from "vitest";
import { NO_PROFILE, type Profile } from "../../../src/core/sessions/profile.ts";
import { NEW_SESSION, patchState, type Session } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import {
  encodeProfile,
  encodeRow,
  isOfProfile,
  parseRecord,
  profileKey,
  readProfile,
  readRecord,
} from "../../../src/server/cluster/record.ts";

const origin = (lostAt?: number) => ({ opened: 5, owner: undefined, epoch: 1, lostAt });
const sessionWith = (custom: Record<string, string>, lostAt?: number) =>
  new SessionRow(
    "s",
    new UserRow("alice"),
    "widget",
    patchState(NEW_SESSION, { custom }),
    undefined,
    origin(lostAt),
  );
const read = (text: string, known?: Session) => readRecord(parseRecord(text)!, known);

describe("the record of a session", () => {
  it("has the time when its socket was lost only if other nodes have to know", () => {
    expect(JSON.parse(encodeRow("app", sessionWith({})))).toHaveLength(9);
    const row = encodeRow("app", sessionWith({}, 1_790_000_000_000));
    expect(JSON.parse(row)).toHaveLength(10);
    expect(read(row)).toMatchObject({ session: { lostAt: 1_790_000_000_000 } });
  });

  it.each(["null", '"x"', "-1", "1.5", "[]", "1e300"])(
    "is read where there is %s in place of that time",
    (other) => {
      const row = `[1,"app","alice","widget",5,1,1,null,{},${other},"more"]`;
      expect(read(row)).toMatchObject({ kind: "row", session: { userId: "alice", lostAt: undefined } });
    },
  );

  it("has at most 4096 bytes of custom fields, as a client may set", () => {
    const most = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(500)]));
    const bytes = () => Buffer.byteLength(JSON.stringify(most));
    most.rest = "";
    most.rest = "x".repeat(4_096 - bytes());
    expect(read(encodeRow("app", sessionWith(most)))).toMatchObject({
      session: { state: { customBytes: 4_096 } },
    });
    expect(read(encodeRow("app", sessionWith({ ...most, rest: `${most.rest}x` })))).toBeUndefined();
  });

  it("keeps the bytes of custom fields that stay as they are known", () => {
    const known = sessionWith({ page: "é" });
    const fact = read(encodeRow("app", known), known);
    expect(fact).toMatchObject({ session: { state: { customBytes: 13 } } });
    expect(fact?.kind === "row" && fact.session.state.custom).toBe(known.custom);
  });
});

describe("the record of a profile", () => {
  const status = {
    availability: "busy",
    text: 'a "call"',
    emoji: "📞",
    expiresAt: 1_790_003_600_000,
  } as const;
  const profile: Profile = { status, lastSeenAt: 5, version: 1_832_960_000_000_001, usedAt: 6 };
  const read = (text: string) => readProfile(parseRecord(text)!);

  it("is read as it was written", () => {
    for (const each of [profile, NO_PROFILE, { ...profile, status: { ...DEFAULT_STATUS, emoji: "x" } }]) {
      const text = encodeProfile("app", "alice", each, 9);
      expect(isOfProfile(parseRecord(text)!)).toBe(true);
      expect(read(text)).toEqual({ kind: "profile", userId: "alice", profile: each });
      // What the scripts in Redis read.
      expect(text).toMatch(/"profile",\d+,9,/);
    }
  });

  it.each([
    [2, ""],
    [2, 5],
    [4, -1],
    [4, 1.5],
    [4, Number.MAX_SAFE_INTEGER + 1],
    [6, "online"],
    [6, null],
    [7, "x".repeat(129)],
    [7, "\n"],
    [8, "x".repeat(33)],
    [8, 1],
    [9, "soon"],
    [9, -1],
    [10, 1e300],
    [11, null],
    [11, "x"],
  ])("is not read with another value at %i: %j", (at, value) => {
    const parts = JSON.parse(encodeProfile("app", "alice", profile, 9));
    parts[at] = value;
    expect(read(JSON.stringify(parts))).toBe(undefined);
  });

  it("has a key that is no id of a session, and no key of another user", () => {
    const keys = [profileKey("a", "b"), profileKey('a","b', ""), profileKey("a", 'b"'), profileKey("ab", "")];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
