import { expect, it } from "vitest";
import {
  ErrorBody,
  NodeDescription,
  Presences,
  Stats,
  UserSessions,
} from "../../../src/server/http/schemas.ts";

const SESSION = {
  selectedConversationId: null,
  custom: { mood: "fine" },
  hasFocus: false,
  isTyping: true,
  sessionId: "s",
};
const presence = (fields: object) => ({
  data: { alice: { status: "online", backgroundSessions: [], widgets: [], ...fields } },
});
const isA = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

it("a result is users who are online, with their sessions", () => {
  expect(isA(Presences, { data: {} })).toBe(true);
  expect(isA(Presences, presence({ widgets: [SESSION] }))).toBe(true);
  expect(isA(Presences, presence({ status: "busy", statusText: "x", statusEmoji: "📞" }))).toBe(true);
  expect(isA(Presences, presence({ status: "available" }))).toBe(false);
  // What the filter's `fields` leave out.
  expect(isA(Presences, { data: { alice: { status: "online" } } })).toBe(true);
  expect(isA(Presences, presence({ widgets: [{ sessionId: "s" }] }))).toBe(true);
  expect(isA(Presences, presence({ widgets: [{ ...SESSION, custom: { n: 1 } }] }))).toBe(false);
  expect(isA(Presences, {})).toBe(false);
});

it("the sessions of a user are in a conversation or in none", () => {
  expect(isA(UserSessions, [{ isTyping: true, currentConversationId: null }])).toBe(true);
  expect(isA(UserSessions, [{ isTyping: true }])).toBe(false);
});

it("counts are whole and not negative", () => {
  const names = ["users", "sessions", "widgets", "backgroundSessions", "focused", "typing"];
  const counts = Object.fromEntries([...names, "sockets", "subscriptions", "views"].map((name) => [name, 0]));
  expect(isA(Stats, counts)).toBe(true);
  for (const wrong of [-1, 0.5, "0", undefined]) expect(isA(Stats, { ...counts, users: wrong })).toBe(false);
});

it("a node has one of the transports, or none before it listens", () => {
  const node = {
    nodeId: "n",
    version: "1.0.0",
    uptimeSeconds: 1,
    rssBytes: 1,
    heapUsedBytes: 1,
    eventLoopDelayMs: { p50: 0.1, p99: 1, max: 2 },
  };
  for (const transport of ["ws", "uws", undefined])
    expect(isA(NodeDescription, { ...node, transport })).toBe(true);
  expect(isA(NodeDescription, { ...node, transport: "other" })).toBe(false);
});

it("an error has lists of reasons", () => {
  expect(isA(ErrorBody, { errorCode: "BAD_REQUEST", reasons: { body: ["is not JSON"] } })).toBe(true);
  expect(isA(ErrorBody, { errorCode: "BAD_REQUEST", reasons: { body: "is not JSON" } })).toBe(false);
});
