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
    expect(row).toEqual(["alice", "c1", "yes", "-", "1", "0"]);
    expect(row).toHaveLength(HEADER.length);
  });

  test("names each conversation of the user once", () => {
    const { widgets } = inRoom("c1", { isTyping: true });
    const value = { ...inRoom("c2"), widgets: [...widgets, ...widgets, ...inRoom("c2").widgets] };
    expect(toRow("alice", value)).toEqual(["alice", "c1, c2", "-", "yes", "3", "0"]);
  });

  test("shows a background session without a conversation", () => {
    expect(toRow("alice", onlyBackground)).toEqual(["alice", "-", "-", "-", "0", "1"]);
  });
});

test.each([
  [inRoom("c1"), "c1"],
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
