import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conversationsOf } from "../../../src/dashboard/model/conversations.ts";
import { changedRow, sessionsOf } from "../../../src/dashboard/model/row.ts";
import { contextAt, rowOf, session, value } from "./values.ts";

const inRoom = (id: string | null, fields = {}) => session({ selectedConversationId: id, ...fields });

describe("conversations", () => {
  it("have their users, the largest first, and users without one last", () => {
    const rows = [
      rowOf("alice", value([inRoom("c1", { hasFocus: true }), inRoom("c1", { isTyping: true })])),
      rowOf("bob", { ...value([inRoom("c2")], [inRoom(null)]), status: "idle" }),
      rowOf("carol", value([inRoom(null)], [inRoom(null)])),
      rowOf("dave", value([inRoom("c1"), inRoom("c3", { hasFocus: true })])),
      rowOf("erin", value([inRoom(null)])),
    ];
    const shown = conversationsOf(rows).map(({ id, participants, available, focused, typing }) => [
      id,
      participants.map(({ userId }) => userId).join(),
      available,
      focused,
      typing,
    ]);
    expect(shown).toEqual([
      ["c1", "alice,dave", 2, 1, 1],
      ["c2", "bob", 0, 0, 0],
      ["c3", "dave", 1, 1, 0],
      [null, "carol,erin", 2, 0, 0],
    ]);
  });

  it("know since when a user is in them: since the first session there", () => {
    const first = changedRow("alice", value([inRoom("c1", { sessionId: "a" })]), contextAt(4));
    const sessions = value([
      inRoom("c2", { sessionId: "b" }),
      inRoom("c1", { sessionId: "a" }),
      inRoom("c1"),
    ]);
    const [c1, c2] = conversationsOf([changedRow("alice", sessions, contextAt(9), first)]);
    expect([c1!.participants[0]!.since.at, c2!.participants[0]!.since.at]).toEqual([4, 9]);
  });

  it("any text is a name, also that of a property", () => {
    const ids = ["__proto__", "constructor", "null", ""];
    const rows = ids.map((id, i) => rowOf(`user-${i}`, value([inRoom(id)])));
    expect(new Set(conversationsOf(rows).map(({ id }) => id))).toEqual(new Set(ids));
  });

  it("are those that a naive search finds", () => {
    const room = fc.constantFrom(null, "c1", "c2", "c3");
    const flags = { hasFocus: fc.boolean(), isTyping: fc.boolean() };
    const sessions = fc.array(fc.record({ selectedConversationId: room, ...flags }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.array(sessions, { maxLength: 12 }), (users) => {
        const rows = users.map((fields, i) => rowOf(`user-${i}`, value(fields.map(session))));
        const found = conversationsOf(rows);
        for (const id of [null, "c1", "c2", "c3"]) {
          const here = rows.filter(({ value: presence }) => {
            const ids = sessionsOf(presence).map(({ selectedConversationId }) => selectedConversationId);
            return id === null ? ids.every((other) => other === null) : ids.includes(id);
          });
          const conversation = found.find((each) => each.id === id);
          expect(conversation?.participants.map(({ userId }) => userId) ?? []).toEqual(
            here.map(({ userId }) => userId),
          );
          const count = (is: "hasFocus" | "isTyping") =>
            here.filter(({ value: presence }) =>
              sessionsOf(presence).some((each) => each.selectedConversationId === id && each[is]),
            ).length;
          expect([conversation?.focused ?? 0, conversation?.typing ?? 0]).toEqual([
            count("hasFocus"),
            count("isTyping"),
          ]);
        }
        const sizes = found.filter(({ id }) => id !== null).map(({ participants }) => participants.length);
        expect(sizes).toEqual(sizes.toSorted((one, other) => other - one));
      }),
    );
  });
});
