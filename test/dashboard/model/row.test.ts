import { describe, expect, it } from "vitest";
import { changedRow, firstRow, matchesSearch, sessionsOf } from "../../../src/dashboard/model/row.ts";
import { contextAt, rowOf, session, value } from "./values.ts";

describe("a row", () => {
  const plain = session({ sessionId: "plain" });
  const focused = session({ sessionId: "focused", hasFocus: true });
  const typing = session({ sessionId: "typing", isTyping: true });

  it.each([
    ["typing", value([plain, focused, typing]), "typing"],
    ["focused", value([plain, focused]), "focused"],
    ["visible", value([plain]), "plain"],
    ["background", value([], [plain]), "plain"],
  ] as const)("has the attention %s of the most active session", (attention, presence, sessionId) => {
    const row = rowOf("alice", presence);
    expect(row.attention).toBe(attention);
    expect(row.main?.sessionId).toBe(sessionId);
    expect(row.sessions).toBe(sessionsOf(presence).length);
  });

  it("counts the changes and keeps the time of the last one", () => {
    const first = rowOf("alice", value([plain]));
    const second = changedRow("alice", value([focused]), contextAt(7), first);
    expect([first.changes, first.changedAt]).toEqual([0, 0]);
    expect([second.changes, second.changedAt]).toEqual([1, 7]);
  });

  it("renews the conversation's sort key only with the conversation", () => {
    const inRoom = (id: string) => value([session({ selectedConversationId: id })]);
    const first = rowOf("alice", inRoom("Room 2"));
    expect(changedRow("alice", inRoom("Room 2"), contextAt(1), first).conversationKey).toBe(
      first.conversationKey,
    );
    expect(
      changedRow("alice", inRoom("Room 10"), contextAt(1), first).conversationKey > first.conversationKey,
    ).toBe(true);
  });
});

describe("the times of a row", () => {
  const inRoom = (id: string | null, sessionId = "s") => session({ sessionId, selectedConversationId: id });

  it("a user is online since the first session, though others follow it", () => {
    const first = changedRow("alice", value([inRoom("c1", "first")]), contextAt(5));
    const both = changedRow(
      "alice",
      value([inRoom("c1", "first"), inRoom("c1", "second")]),
      contextAt(6),
      first,
    );
    const second = changedRow("alice", value([inRoom("c1", "second")]), contextAt(7), both);
    expect(second.online).toEqual({ at: 5, isExact: true });
    expect(second.times).toEqual([contextAt(6).arrival]);
    expect(second.since).toBe(second.online);
  });

  it("with the filter of a conversation the row shows since when the user is in it", () => {
    const shows = "conversation" as const;
    const first = changedRow("alice", value([inRoom("c1")]), { ...contextAt(5), shows });
    const moved = changedRow("alice", value([inRoom("c2")]), { ...contextAt(8), shows }, first);
    expect([first.since.at, moved.since.at, moved.online.at]).toEqual([5, 8, 5]);
    const second = value([inRoom("c2"), inRoom("c2", "second")]);
    expect(changedRow("alice", second, { ...contextAt(9), shows }, moved).since.at).toBe(8);
  });

  it("survive another filter", () => {
    const before = changedRow("alice", value([inRoom("c1")]), contextAt(5));
    const after = firstRow("alice", before.value, contextAt(9, false), before);
    expect(after).toMatchObject({ online: { at: 5, isExact: true }, changedAt: 5, changes: 0 });
    expect(after.times).toEqual(before.times);
  });
});

describe("matchesSearch", () => {
  const presence = value([session({ selectedConversationId: "Order-7", custom: { Plan: "Gold" } })]);
  const row = rowOf("Alice", presence);

  it.each(["", "ali", "order-7", "plan", "gold"])("finds %j", (search) => {
    expect(matchesSearch(row, search)).toBe(true);
  });

  it.each(["bob", "silver", "order-7gold"])("does not find %j", (search) => {
    expect(matchesSearch(row, search)).toBe(false);
  });
});

it("a search finds the text and the emoji of a status", () => {
  const row = rowOf("alice", { ...value([session()]), statusText: "In a Meeting", statusEmoji: "🎧" });
  expect(["meeting", "🎧", "lunch"].map((search) => matchesSearch(row, search))).toEqual([true, true, false]);
});
