import { describe, expect, it } from "vitest";
import {
  FOCUSED_BIT,
  flagBitsOf,
  keysAfter,
  NEW_SESSION,
  NO_CUSTOM,
  type Ownership,
  patchState,
  type Session,
  TYPING_BIT,
  VISIBLE_BIT,
  wasOpenedBefore,
} from "../../../src/core/sessions/session.ts";

describe("flag bits", () => {
  it.each([
    ["widget", {}, VISIBLE_BIT],
    ["widget", { hasFocus: true, isTyping: true }, VISIBLE_BIT | FOCUSED_BIT | TYPING_BIT],
    ["widget", { visible: false, hasFocus: true, isTyping: true }, 0],
    ["background", { hasFocus: true }, FOCUSED_BIT],
    ["background", { visible: false, isTyping: true }, TYPING_BIT],
  ] as const)("of a %s with %j are %i", (kind, patch, bits) => {
    expect(flagBitsOf(kind, { ...NEW_SESSION, ...patch })).toBe(bits);
  });
});

describe("a patch", () => {
  const typing = patchState(NEW_SESSION, { selectedConversationId: "c1", isTyping: true });

  it("that changes nothing returns the same state", () => {
    for (const patch of [{}, { visible: true }, { custom: null }, { custom: { absent: null } }]) {
      expect(patchState(NEW_SESSION, patch)).toBe(NEW_SESSION);
    }
    expect(patchState(typing, { selectedConversationId: "c1" })).toBe(typing);
  });

  it("that selects another conversation ends typing, unless it sets it again", () => {
    expect(patchState(typing, { selectedConversationId: "c2" }).isTyping).toBe(false);
    expect(patchState(typing, { selectedConversationId: null }).isTyping).toBe(false);
    expect(patchState(typing, { selectedConversationId: "c2", isTyping: true }).isTyping).toBe(true);
  });

  it("sets and deletes custom keys, those with the names of prototypes too", () => {
    const set = patchState(NEW_SESSION, { custom: JSON.parse('{"__proto__":"x","page":"1"}') });
    expect(Object.entries(set.custom)).toEqual([
      ["__proto__", "x"],
      ["page", "1"],
    ]);
    expect(keysAfter(set, { custom: { page: null, constructor: "y" } })).toBe(2);
    expect(patchState(set, { custom: JSON.parse('{"__proto__":null,"page":null}') }).custom).toBe(NO_CUSTOM);
    expect(patchState(set, { custom: null }).custom).toBe(NO_CUSTOM);
  });
});

it("sessions of several nodes are ordered by when they were opened, then by id", () => {
  const session = (sessionId: string, opened: number | undefined) => {
    const ownership = opened === undefined ? undefined : ({ opened } as Ownership);
    return { sessionId, ownership } as Session;
  };
  expect(wasOpenedBefore(session("b", 1), session("a", 2))).toBe(true);
  expect(wasOpenedBefore(session("a", 2), session("b", 1))).toBe(false);
  expect(wasOpenedBefore(session("a", 1), session("b", 1))).toBe(true);
  expect(wasOpenedBefore(session("b", 1), session("a", 1))).toBe(false);
  expect(wasOpenedBefore(session("a", undefined), session("b", 1))).toBe(false);
});
