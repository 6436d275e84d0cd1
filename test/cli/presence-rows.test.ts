import { describe, expect, test } from "vitest";
import { firstIds, HEADER, toData, toPhrase, toRow } from "../../src/cli/presence-rows.ts";
import type { PresenceValue } from "../../src/client/types.ts";
import { someone } from "../support/sdk.ts";

const inRoom = (room: string | null, fields = {}) =>
  someone("s", { selectedConversationId: room, ...fields });
const [background] = someone().widgets;
const onlyBackground: PresenceValue = { status: "online", widgets: [], backgroundSessions: [background!] };
const snapshotOf = (...ids: string[]) => new Map(ids.map((id) => [id, someone()]));

describe("toRow", () => {
  test("has a cell for each column", () => {
    const row = toRow("alice", inRoom("c1", { hasFocus: true }));
    expect(row).toEqual(["alice", "online", "c1", "yes", "-", "1", "0"]);
    expect(row).toHaveLength(HEADER.length);
  });

  test("names each conversation of the user once", () => {
    const { widgets } = inRoom("c1", { isTyping: true });
    const value = { ...inRoom("c2"), widgets: [...widgets, ...widgets, ...inRoom("c2").widgets] };
    expect(toRow("alice", value)).toEqual(["alice", "online", "c1, c2", "-", "yes", "3", "0"]);
  });

  test("shows a background session without a conversation", () => {
    expect(toRow("alice", onlyBackground)).toEqual(["alice", "online", "-", "-", "-", "0", "1"]);
  });

  test("shows the status with emoji and text", () => {
    const value = { ...inRoom("c1"), status: "busy", statusText: "In a meeting", statusEmoji: "🎧" } as const;
    expect(toRow("alice", value)[1]).toBe("busy 🎧 In a meeting");
  });

  test("shows what there is if the filter leaves out fields or sessions", () => {
    const withoutSessions = { status: "away" } as PresenceValue;
    expect(toRow("alice", withoutSessions)).toEqual(["alice", "away", "-", "-", "-", "0", "0"]);
    const some = { status: "online", widgets: [{ hasFocus: true }], backgroundSessions: [] };
    expect(toRow("alice", some as unknown as PresenceValue).slice(2)).toEqual(["-", "yes", "-", "1", "0"]);
  });
});

test.each([
  [inRoom("c1"), "c1"],
  [{ ...inRoom("c1"), status: "idle" } as const, "c1, idle"],
  [{ ...inRoom("c1"), statusText: "Back soon" }, "c1, online Back soon"],
  [inRoom("c1", { hasFocus: true, isTyping: true }), "c1, focus, typing"],
  [inRoom(null, { isTyping: true }), "-, typing"],
  [onlyBackground, "-, background"],
])("toPhrase describes %j as %s", (value, phrase) => {
  expect(toPhrase(value)).toBe(phrase);
});

describe("firstIds", () => {
  test("orders numbers in names by value, and equal names by code unit", () => {
    expect(firstIds(snapshotOf("user-10", "user-9", "e\u0301", "é"))).toEqual([
      "e\u0301",
      "é",
      "user-9",
      "user-10",
    ]);
  });

  test("selects the same ids as sorting all of them", () => {
    const snapshot = snapshotOf(...Array.from({ length: 50 }, (_, i) => `user-${(i * 17) % 50}`));
    for (const count of [0, 1, 7, 49, 50, 51]) {
      expect(firstIds(snapshot, count)).toEqual(firstIds(snapshot).slice(0, count));
    }
    expect(firstIds(snapshot, 3)).toEqual(["user-0", "user-1", "user-2"]);
  });
});

test("toData is an object by user id", () => {
  expect(toData(new Map([["alice", onlyBackground]]))).toEqual({ alice: onlyBackground });
});
