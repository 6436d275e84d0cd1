import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SORT_KEYS } from "../../../src/dashboard/model/dashboard-state.ts";
import { changedRow, type Row } from "../../../src/dashboard/model/row.ts";
import { compareBy, insertionIndex, insertSorted } from "../../../src/dashboard/model/row-order.ts";
import { contextAt, session, value } from "./values.ts";

const rowOf = (userId: string, conversation: string | null = null, changedAt = 0): Row =>
  changedRow(userId, value([session({ selectedConversationId: conversation })]), contextAt(changedAt));
const byUser = compareBy({ key: "user", isDescending: false });

describe("compareBy", () => {
  it("orders numbers in user ids by value", () => {
    const rows = ["user-10", "user-9", "User-1"].map((userId) => rowOf(userId));
    expect(rows.toSorted(byUser).map(({ userId }) => userId)).toEqual(["User-1", "user-9", "user-10"]);
  });

  it("puts users without a conversation last", () => {
    const rows = [rowOf("a"), rowOf("b", "room 10"), rowOf("c", "room 9")];
    const compare = compareBy({ key: "conversation", isDescending: false });
    expect(rows.toSorted(compare).map(({ userId }) => userId)).toEqual(["c", "b", "a"]);
  });

  it("orders by status as the filter lists them, then by user", () => {
    const rows = (["dnd", "online", "idle", "busy", "away", "online"] as const).map((status, i) =>
      changedRow(`user-${i}`, { ...value([session()]), status }, contextAt(0)),
    );
    const compare = compareBy({ key: "status", isDescending: false });
    expect(
      rows
        .toSorted(compare)
        .map(({ value: presence }) => presence.status)
        .join(),
    ).toBe("online,online,idle,away,busy,dnd");
  });

  it.each(["since", "changed"] as const)("orders by the time of %s", (key) => {
    const rows = [rowOf("a", null, 3), rowOf("b", null, 1), rowOf("c", null, 2)];
    const compare = compareBy({ key, isDescending: true });
    expect(rows.toSorted(compare).map(({ userId }) => userId)).toEqual(["a", "c", "b"]);
  });

  it.each(SORT_KEYS)("by %s never makes two users equal", (key) => {
    // The ids differ, but their sort keys are the same.
    const [one, other] = [rowOf("é"), rowOf("e\u0301")];
    for (const isDescending of [false, true]) {
      const compare = compareBy({ key, isDescending });
      expect(compare(one, other)).not.toBe(0);
      expect(Math.sign(compare(one, other))).toBe(-Math.sign(compare(other, one)));
    }
  });
});

describe("insertionIndex", () => {
  const rows = ["b", "d", "f"].map((userId) => rowOf(userId));

  it.each([
    ["a", 0],
    ["b", 0],
    ["c", 1],
    ["g", 3],
  ])("of %s is %d", (userId, index) => {
    expect(insertionIndex(rows, rowOf(userId), byUser)).toBe(index);
  });

  it("searches from an index on", () => {
    expect(insertionIndex(rows, rowOf("a"), byUser, 2)).toBe(2);
  });
});

it("insertSorted gives the same result as sorting everything", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), fc.nat(), (userIds, cut) => {
      const rows = userIds.map((userId) => rowOf(userId));
      const at = rows.length === 0 ? 0 : cut % rows.length;
      const sorted = rows.slice(0, at).sort(byUser);
      expect(insertSorted(sorted, rows.slice(at), byUser)).toEqual(rows.toSorted(byUser));
    }),
  );
});
