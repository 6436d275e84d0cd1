import { expect, it } from "vitest";
import { earlier, timesOf, timesOfArrival } from "../../../src/dashboard/model/session-times.ts";
import { session } from "./values.ts";

const exact = (at: number) => ({ at, isExact: true });
const bound = (at: number) => ({ at, isExact: false });

it.each([
  ["without a filter it has come online", {}, exact(7), exact(7)],
  ["background sessions", { includeBackgroundSessions: true }, exact(7), exact(7)],
  ["some users", { userIds: ["alice"] }, exact(7), exact(7)],
  ["a conversation: it may have been in another before", { selectedConversationId: "c" }, bound(7), exact(7)],
  ["no conversation", { selectedConversationId: null }, bound(7), exact(7)],
  ["typing: it may have been there before", { isTyping: true }, bound(7), bound(7)],
  ["focus", { hasFocus: false }, bound(7), bound(7)],
  ["a status: it may have been another before", { status: ["busy" as const] }, bound(7), bound(7)],
  ["a custom field", { custom: { plan: "gold" } }, bound(7), bound(7)],
  ["null is as absent", { hasFocus: null, isTyping: null, status: null }, exact(7), exact(7)],
])("what the page knows of a session that has come: %s", (_name, filter, online, conversation) => {
  expect(timesOfArrival(filter, 7, true)).toEqual({ online, conversation });
  expect(timesOfArrival(filter, 7, false)).toEqual({ online: bound(7), conversation: bound(7) });
});

it("a session keeps its times, and a new conversation begins another", () => {
  const one = session({ sessionId: "one", selectedConversationId: "c1" });
  const two = session({ sessionId: "two" });
  const first = { online: bound(1), conversation: bound(1) };
  const arrival = { online: exact(2), conversation: exact(2) };
  expect(timesOf([one, two], first)).toEqual([first, first]);
  const before = { sessions: [one, two], times: [first, first] };
  const three = session({ sessionId: "three" });
  const moved = { ...one, selectedConversationId: null };
  expect(timesOf([two, three, moved], arrival, before)).toEqual([
    first,
    arrival,
    { online: bound(1), conversation: exact(2) },
  ]);
});

it("of two times the earlier one counts, and of equal ones the one that may be even earlier", () => {
  expect(earlier(exact(1), bound(2))).toEqual(exact(1));
  expect(earlier(bound(2), exact(1))).toEqual(exact(1));
  expect(earlier(exact(2), bound(2))).toEqual(bound(2));
  expect(earlier(bound(2), exact(2))).toEqual(bound(2));
});
