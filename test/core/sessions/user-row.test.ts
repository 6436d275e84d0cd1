import { describe, expect, it } from "vitest";
import { ALL_FIELDS, NEW_SESSION, type Session } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { MAX_LISTED_BYTES } from "../../../src/protocol/rules.ts";
import { Random } from "../../support/random.ts";

const ALL = { fields: ALL_FIELDS, matches: () => true };

describe("the entry of a user", () => {
  it("lists widgets and background sessions apart, each in the order in which they were opened", () => {
    const table = new Table();
    const state = { ...NEW_SESSION, selectedConversationId: 'c"1', custom: { page: "é" } };
    table.open("w1", "alice", "widget", { ...state, hasFocus: true }, undefined);
    table.open("b1", "alice", "background", { ...state, isTyping: true }, undefined);
    table.open("w2", "alice", "widget", { ...state, visible: false, hasFocus: true }, undefined);
    const fields = { selectedConversationId: 'c"1', custom: { page: "é" } };
    expect(JSON.parse(`{${table.user("alice")!.encodedEntry(ALL)}}`)).toEqual({
      alice: {
        status: "online",
        backgroundSessions: [
          { ...fields, hasFocus: false, isTyping: true, sessionId: "b1" },
          { ...fields, hasFocus: false, isTyping: false, sessionId: "w2" },
        ],
        widgets: [{ ...fields, hasFocus: true, isTyping: false, sessionId: "w1" }],
      },
    });
  });

  it.each([3, 15, 16, 40])("lists exactly the sessions that match, of %i, also after changes", (count) => {
    const random = new Random(count);
    const table = new Table();
    for (let i = 0; i < count; i++) table.open(`s${i}`, "alice", "widget", NEW_SESSION, undefined);
    const user = table.user("alice")!;
    for (let round = 0; round < 200; round++) {
      const chosen = new Set(user.sessions.filter(() => random.oneIn(2)).map(({ sessionId }) => sessionId));
      const matcher = { fields: ALL_FIELDS, matches: ({ sessionId }: Session) => chosen.has(sessionId) };
      const { alice } = JSON.parse(`{${user.encodedEntry(matcher)}}`);
      expect(alice.widgets.map((each: Session) => each.sessionId)).toEqual(
        user.sessions.map((each) => each.sessionId).filter((id) => chosen.has(id)),
      );
      const session = user.sessions[random.below(count)]!;
      table.update(session, { ...NEW_SESSION, hasFocus: random.oneIn(2) });
    }
  });

  it("lists no more than fits into a message", () => {
    const table = new Table();
    const state = { ...NEW_SESSION, custom: { x: "x".repeat(4_000) }, customBytes: 4_008 };
    for (let i = 0; i < 400; i++) table.open(`s${i}`, "alice", "widget", state, undefined);
    const entry = table.user("alice")!.encodedEntry(ALL);
    expect(entry.length).toBeLessThanOrEqual(MAX_LISTED_BYTES);
    expect(entry.length).toBeGreaterThan(0.9 * MAX_LISTED_BYTES);
  });
});

it("sessions that other nodes opened earlier come first, whenever this node learns of them", () => {
  const table = new Table();
  const open = (sessionId: string, opened: number) =>
    table.open(sessionId, "alice", "widget", NEW_SESSION, undefined, {
      opened,
      owner: "other",
      epoch: 0,
      lostAt: undefined,
    });
  for (const [sessionId, opened] of Object.entries({ c: 3, a: 1, d: 3, b: 2 })) open(sessionId, opened);
  expect(table.user("alice")!.sessions.map(({ sessionId }) => sessionId)).toEqual(["a", "b", "c", "d"]);
});
