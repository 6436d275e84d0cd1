import { describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { Availability } from "../../../src/protocol/wire.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

describe("filters with the same meaning", () => {
  it("share a key, whatever the order and repetition of their ids, and whether null or absent", () => {
    const { key } = compile({ userIds: ["a", "b"], hasFocus: null });
    expect(compile({ userIds: ["b", "a", "b"], isTyping: null, expandUser: true }).key).toBe(key);
  });

  it("have other keys when they mean something else", () => {
    const filters = [
      {},
      { userIds: [] },
      { userIds: ["a"] },
      { userIds: ["a,b"] },
      { userIds: ["a", "b"] },
      { selectedConversationId: null },
      { selectedConversationId: "a" },
      { selectedConversationId: "0" },
      { selectedConversationId: "null" },
      { hasFocus: true },
      { isTyping: true },
      { includeBackgroundSessions: true },
    ];
    expect(new Set(filters.map((filter) => compile(filter).key)).size).toBe(filters.length);
  });
});

describe("filters on status, custom and fields", () => {
  it("share a key if they mean the same, and have others if not", () => {
    const same = [
      [{ status: ["busy", "idle"] }, { status: ["idle", "busy", "busy"] }],
      [{ custom: { a: ["x", "y"], b: "z" } }, { custom: { b: ["z"], a: ["y", "x", "y"] } }],
      [{ fields: ["custom", "isTyping"] }, { fields: ["isTyping", "custom", "custom"] }],
      [{ status: null, custom: null, fields: null, includeInvisible: null }, {}],
      // Whether invisible users may be shown is for the caller to say.
      [{ includeInvisible: true }, {}],
    ];
    for (const [one, other] of same) expect(compile(one).key).toBe(compile(other).key);
    const all = { fields: ["selectedConversationId", "custom", "hasFocus", "isTyping", "sessionId"] };
    expect(compile(all).key).toBe(compile({}).key);
    const filters = [
      {},
      { status: ["busy"] },
      { status: ["online", "idle", "away", "busy", "dnd"] },
      { custom: { a: "x" } },
      { custom: { a: ["x", "y"] } },
      { custom: { a: "x,y" } },
      { custom: { a: '"],["b","z' } },
      { custom: { a: "x", b: "z" } },
      { fields: [] },
      { fields: ["custom"] },
    ];
    const keys = filters.flatMap((filter) => {
      const parsed = FilterSchema.parse(filter);
      return [{}, { isCount: true }, { showsInvisible: true }].map(
        (options) => new CompiledFilter(parsed, options).key,
      );
    });
    // A filter with `status` never shows invisible users, a count has no fields, and all statuses are any.
    expect(new Set(keys).size).toBe(keys.length - 2 - 2 - 2);
  });

  it("that are not for invisible users never come across one, by whichever index", () => {
    const table = new Table(["team"]);
    const state = { ...NEW_SESSION, custom: { team: "billing" }, selectedConversationId: "c1" };
    for (let i = 0; i < 50; i++) table.open(`s${i}`, "alice", "widget", state, undefined);
    const profile = (availability: Availability) => ({
      status: { ...DEFAULT_STATUS, availability },
      lastSeenAt: undefined,
      version: 1,
      usedAt: 0,
    });
    table.setProfile("alice", profile("invisible"));
    const filters = [
      {},
      { selectedConversationId: "c1", includeBackgroundSessions: true },
      { custom: { team: "billing" } },
      { status: ["away", "busy", "dnd"] },
    ];
    for (const filter of filters) {
      const compiled = compile(filter);
      expect(compiled.candidates(table).size).toBe(0);
      expect(compiled.candidates(table).list()).toEqual([]);
    }
    // One who is asked for by id is not looked at: no session is matched.
    const named = compile({ userIds: ["alice"] });
    named.matches = () => expect.fail("looked at a session");
    named.forEachUser(table, () => expect.fail("found"));
    const all = new CompiledFilter(FilterSchema.parse({ custom: { team: "billing" } }), {
      showsInvisible: true,
    });
    const seen: string[] = [];
    all.forEachUser(table, ({ userId }) => void seen.push(userId));
    expect(seen).toEqual(["alice"]);
    table.setProfile("alice", profile("dnd"));
    expect(filters.map((filter) => compile(filter).candidates(table).size)).toEqual([50, 50, 50, 1]);
    for (let i = 0; i < 50; i++) table.end(table.get(`s${i}`)!, "closed");
    expect(table.debugCounts()).toMatchObject({ indexedValues: 0, withStatus: 0, conversations: 0 });
  });
});
