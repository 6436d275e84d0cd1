import { expect, it } from "vitest";
import { countRow, zeroCounts } from "../../../src/dashboard/model/counts.ts";
import { rowOf, session, value } from "./values.ts";

it("counts a user once, whatever the number of focused and typing sessions", () => {
  const counts = zeroCounts();
  const busy = session({ hasFocus: true, isTyping: true });
  countRow(counts, rowOf("alice", value([busy, busy], [busy])), 1);
  expect(counts).toMatchObject({ users: 1, widgets: 2, backgroundSessions: 1, focused: 1, typing: 1 });
});

it("is zero again after each row is removed", () => {
  const rows = [
    rowOf("alice", value([session({ hasFocus: true })])),
    rowOf("bob", { ...value([], [session({ isTyping: true })]), status: "busy" }),
  ];
  const counts = zeroCounts();
  for (const row of rows) countRow(counts, row, 1);
  expect(counts).toMatchObject({ users: 2, widgets: 1, backgroundSessions: 1, focused: 1, typing: 1 });
  expect(counts.statuses).toEqual({ online: 1, idle: 0, away: 0, busy: 1, dnd: 0, invisible: 0 });
  for (const row of rows) countRow(counts, row, -1);
  expect(counts).toEqual(zeroCounts());
});
