import { describe, expect, it } from "vitest";
import { Batch, Check, LastSeenRequest, SessionWrite } from "../../../src/server/http/request-bodies.ts";

const isA = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;
const ids = (count: number) => Array.from({ length: count }, (_, i) => `u${i}`);
/** Values that code which trusts its input stumbles over. */
const ODD = [null, 1, "x", true, [], { length: { toString: null } }, { __proto__: null }];

describe("a session that is written", () => {
  it.each([
    {},
    { kind: "background", visible: false, selectedConversationId: null, hasFocus: true, isTyping: true },
    { isIdle: true, custom: { a: "1", b: null }, ttlMs: 1_000 },
    { custom: null, ttlMs: 3_600_000 },
  ])("may be %j", (body) => expect(isA(SessionWrite, body)).toBe(true));

  it.each([
    { ttlMs: 999 },
    { ttlMs: 3_600_001 },
    { ttlMs: null },
    { kind: null },
    { kind: "x" },
    { sessionId: "s" },
  ])("may not be %j", (body) => expect(isA(SessionWrite, body)).toBe(false));
});

describe("a check", () => {
  it("names 1 to 10,000 users, and may have a filter that names none", () => {
    for (const count of [1, 10_000]) expect(isA(Check, { userIds: ids(count) })).toBe(true);
    for (const count of [0, 10_001]) expect(isA(Check, { userIds: ids(count) })).toBe(false);
    const filter = { hasFocus: true, custom: { any: "x" }, includeInvisible: true, expandUser: true };
    expect(isA(Check, { userIds: ["alice"], filter })).toBe(true);
    for (const field of ["userIds", "status", "fields", "x"])
      expect(isA(Check, { userIds: ["alice"], filter: { [field]: [] } })).toBe(false);
  });
});

describe("a question for last-seen times", () => {
  it("names up to 1000 users", () => {
    for (const count of [0, 1_000]) expect(isA(LastSeenRequest, { userIds: ids(count) })).toBe(true);
    expect(isA(LastSeenRequest, { userIds: ids(1_001) })).toBe(false);
    expect(isA(LastSeenRequest, {})).toBe(false);
  });
});

describe("a batch", () => {
  it("is at most 10 requests, each with a number or text, a method and a path", () => {
    const request = [1, "POST", "/presences", {}];
    for (const count of [0, 1, 10]) expect(isA(Batch, Array(count).fill(request))).toBe(true);
    expect(isA(Batch, Array(11).fill(request))).toBe(false);
    expect(isA(Batch, [["a", "GET", "/users/status?userId=x"]])).toBe(true);
    for (const odd of [null, 1, {}, undefined]) {
      expect(isA(Batch, [[1, "GET", odd]])).toBe(false);
      expect(isA(Batch, [[1, odd, "/stats"]])).toBe(false);
    }
    for (const seq of [null, 1.5, {}, "x".repeat(256)])
      expect(isA(Batch, [[seq, "GET", "/stats"]])).toBe(false);
  });
});

it("odd values are refused, and nothing throws", () => {
  for (const schema of [SessionWrite, Check, LastSeenRequest, Batch])
    for (const value of ODD) {
      if (
        (schema === SessionWrite || (schema === Batch && Array.isArray(value))) &&
        value !== null &&
        typeof value === "object" &&
        Object.keys(value).length === 0
      )
        continue;
      expect(isA(schema, value)).toBe(false);
    }
  for (const value of ODD) {
    expect(isA(Check, { userIds: ["alice"], filter: value }) && value === null).toBe(false);
    if (!Array.isArray(value)) expect(isA(LastSeenRequest, { userIds: value })).toBe(false);
    expect(isA(Batch, [value])).toBe(false);
  }
});
