import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PresenceChange, PresenceValue } from "../../../src/client/types.ts";
import { SORT_KEYS } from "../../../src/dashboard/model/dashboard-state.ts";
import { Rows } from "../../../src/dashboard/model/rows.ts";
import { contextAt, session, value } from "./values.ts";

const here = value([session()]);
const START = contextAt(0, false);
const NO_CHANGE: PresenceChange = { entered: [], updated: [], left: [] };
const BY_USER = { key: "user", isDescending: false } as const;
const shownOf = (rows: Rows) => rows.shown.map(({ userId }) => userId);
const rowsOf = (entries: Record<string, PresenceValue>) => {
  const rows = new Rows();
  rows.reset(new Map(Object.entries(entries)), START);
  return rows;
};

describe("rows", () => {
  it("are in natural order, and any text can be a user id", () => {
    const rows = new Rows();
    const users = ["user-10", "user-9", "User-1", "é", "__proto__", "user-9a"];
    rows.reset(new Map(users.map((userId) => [userId, here])), START);
    expect(shownOf(rows)).toEqual(["__proto__", "é", "User-1", "user-9", "user-9a", "user-10"]);
    expect(users.map((userId) => rows.indexOf(userId))).toEqual([5, 3, 2, 1, 0, 4]);
    expect(rows.indexOf("nobody")).toBe(-1);
  });

  it("are sorted by activity, the most active user first", () => {
    const rows = rowsOf({
      idle: here,
      back: value([], [session()]),
      types: value([session({ hasFocus: true }), session({ isTyping: true })]),
      looks: value([session({ hasFocus: true })]),
    });
    rows.arrange("", { key: "attention", isDescending: false });
    expect(shownOf(rows)).toEqual(["types", "looks", "idle", "back"]);
    rows.arrange("", { key: "attention", isDescending: true });
    expect(shownOf(rows)).toEqual(["back", "idle", "looks", "types"]);
    expect(rows.counts).toMatchObject({ users: 4, widgets: 4, backgroundSessions: 1, focused: 2, typing: 1 });
  });

  it("are found by user, conversation and custom field, ignoring case", () => {
    const rows = rowsOf({
      alice: here,
      bob: value([session({ selectedConversationId: "Order-ALICE" })]),
      carol: value([session()], [session({ custom: { Plan: "alice's" } })]),
      dave: here,
    });
    rows.arrange(" aLiCe ", BY_USER);
    expect(shownOf(rows)).toEqual(["alice", "bob", "carol"]);
    // The counts cover the filter, not the search.
    expect(rows.counts.users).toBe(4);
    expect(rows.indexOf("dave")).toBe(-1);
    rows.apply(
      new Map([["dave", value([session({ custom: { x: "ALICE" } })])]]),
      { ...NO_CHANGE, updated: ["dave"] },
      contextAt(5),
    );
    expect(shownOf(rows)).toEqual(["alice", "bob", "carol", "dave"]);
    expect(rows.get("dave")).toMatchObject({ changedAt: 5, changes: 1 });
  });

  it("are the same after incremental changes as after a fresh snapshot", () => {
    const values = fc.record({
      typing: fc.boolean(),
      conversation: fc.constantFrom(null, "c2", "c10", "C3"),
      background: fc.boolean(),
    });
    const step = fc.record({
      set: fc.dictionary(fc.constantFrom("a", "b", "c", "d", "u1", "u2", "u10"), values, { maxKeys: 4 }),
      gone: fc.subarray(["a", "b", "c", "d", "u1", "u2", "u10"], { maxLength: 2 }),
    });
    const sort = fc.record({
      key: fc.constantFrom(...SORT_KEYS.filter((key) => key !== "changed" && key !== "since")),
      isDescending: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 8 }),
        sort,
        fc.constantFrom("", "c", "2"),
        (steps, by, search) => {
          const rows = new Rows();
          rows.arrange(search, by);
          const snapshot = new Map<string, PresenceValue>();
          rows.reset(snapshot, START);
          for (const { set, gone } of steps) {
            const left = gone
              .filter((userId) => snapshot.delete(userId))
              .map((userId) => ({ userId, cause: "closed" as const }));
            const entered: string[] = [];
            const updated: string[] = [];
            for (const [userId, { typing, conversation, background }] of Object.entries(set)) {
              if (left.some((one) => one.userId === userId)) continue;
              (snapshot.has(userId) ? updated : entered).push(userId);
              const one = session({ isTyping: typing, selectedConversationId: conversation });
              snapshot.set(userId, background ? value([], [one]) : value([one]));
            }
            rows.apply(snapshot, { entered, updated, left }, contextAt(1));
          }
          const fresh = new Rows();
          fresh.arrange(search, by);
          fresh.reset(snapshot, START);
          expect(shownOf(rows)).toEqual(shownOf(fresh));
          expect(rows.counts).toEqual(fresh.counts);
          for (const [index, userId] of shownOf(rows).entries()) expect(rows.indexOf(userId)).toBe(index);
        },
      ),
    );
  });

  it("keep what is known of a user who was in the result of the filter before", () => {
    const rows = rowsOf({ alice: here });
    const snapshot = new Map([
      ["alice", here],
      ["bob", here],
    ]);
    rows.apply(snapshot, { ...NO_CHANGE, entered: ["bob"] }, contextAt(3));
    rows.reset(new Map([...snapshot, ["carol", here]]), contextAt(8, false));
    const times = rows.shown.map(({ userId, online, changedAt }) => [
      userId,
      online.at,
      online.isExact,
      changedAt,
    ]);
    expect(times).toEqual([
      ["alice", 0, false, 0],
      ["bob", 3, true, 3],
      ["carol", 8, false, 0],
    ]);
  });

  it("a copy stays as it is, and can be searched and sorted", () => {
    const rows = rowsOf({ alice: here, bob: here });
    const copy = rows.copy();
    rows.apply(
      new Map([["bob", here]]),
      { ...NO_CHANGE, left: [{ userId: "alice", cause: "closed" }] },
      START,
    );
    expect([shownOf(rows), rows.counts.users]).toEqual([["bob"], 1]);
    expect([shownOf(copy), copy.counts.users]).toEqual([["alice", "bob"], 2]);
    copy.arrange("", { key: "user", isDescending: true });
    expect(shownOf(copy)).toEqual(["bob", "alice"]);
    copy.arrange("alice", BY_USER);
    expect([shownOf(copy), copy.indexOf("alice"), shownOf(rows)]).toEqual([["alice"], 0, ["bob"]]);
  });

  it("of 20,000 users take changes in a few milliseconds of processor time", () => {
    const snapshot = new Map(Array.from({ length: 20_000 }, (_, i) => [`user-${i}`, here] as const));
    const rows = new Rows();
    rows.reset(snapshot, START);
    const updated = Array.from({ length: 50 }, (_, i) => `user-${i * 400}`);
    const before = process.cpuUsage();
    for (let i = 0; i < 20; i++) rows.apply(snapshot, { ...NO_CHANGE, updated }, contextAt(i));
    // Processor time of this process, so other load does not count. A quiet machine needs a tenth of it.
    expect(process.cpuUsage(before).user / 1_000 / 20).toBeLessThan(20);
    expect(rows.shown).toHaveLength(20_000);
  });
});
