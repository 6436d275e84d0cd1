import { describe, expect, it } from "vitest";
import { makeRow, matchesSearch, sessionsOf } from "../../../src/dashboard/model/row.ts";
import { session, value } from "./values.ts";

describe("makeRow", () => {
  const plain = session({ sessionId: "plain" });
  const focused = session({ sessionId: "focused", hasFocus: true });
  const typing = session({ sessionId: "typing", isTyping: true });

  it.each([
    ["typing", value([plain, focused, typing]), "typing"],
    ["focused", value([plain, focused]), "focused"],
    ["visible", value([plain]), "plain"],
    ["background", value([], [plain]), "plain"],
  ] as const)("has the status %s of the most active session", (status, presence, sessionId) => {
    const row = makeRow("alice", presence, 0);
    expect(row.status).toBe(status);
    expect(row.main?.sessionId).toBe(sessionId);
    expect(row.sessions).toBe(sessionsOf(presence).length);
  });

  it("counts the changes and keeps the time of the last one", () => {
    const first = makeRow("alice", value([plain]), 0);
    const second = makeRow("alice", value([focused]), 7, first);
    expect([first.changes, first.changedAt]).toEqual([0, 0]);
    expect([second.changes, second.changedAt]).toEqual([1, 7]);
  });

  it("renews the conversation's sort key only with the conversation", () => {
    const inRoom = (id: string) => value([session({ selectedConversationId: id })]);
    const first = makeRow("alice", inRoom("Room 2"), 0);
    expect(makeRow("alice", inRoom("Room 2"), 1, first).conversationKey).toBe(first.conversationKey);
    expect(makeRow("alice", inRoom("Room 10"), 1, first).conversationKey > first.conversationKey).toBe(true);
  });
});

describe("matchesSearch", () => {
  const presence = value([session({ selectedConversationId: "Order-7", custom: { Plan: "Gold" } })]);
  const row = makeRow("Alice", presence, 0);

  it.each(["", "ali", "order-7", "plan", "gold"])("finds %j", (search) => {
    expect(matchesSearch(row, search)).toBe(true);
  });

  it.each(["bob", "silver", "order-7gold"])("does not find %j", (search) => {
    expect(matchesSearch(row, search)).toBe(false);
  });
});
