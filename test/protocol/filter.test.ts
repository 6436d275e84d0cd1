import { expect, it } from "vitest";
import { toFieldIssues } from "../../src/protocol/codec.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { MAX_FILTER_USER_IDS } from "../../src/protocol/rules.ts";

it("means the same by null and by absent fields, apart from the conversation", () => {
  const nothing = { hasFocus: null, isTyping: null, userIds: null, includeBackgroundSessions: null };
  expect(FilterSchema.parse(nothing)).toEqual(FilterSchema.parse({}));
  expect(FilterSchema.parse({ selectedConversationId: null }).selectedConversationId).toBeNull();
});

it("ignores what older clients of TalkJS send, and nothing else", () => {
  expect(FilterSchema.parse({ hasFocus: true, expandUser: {} })).toEqual({ hasFocus: true });
  const { error } = FilterSchema.safeParse(JSON.parse('{"userId":["bob"],"__proto__":1,"hasFocus":2}'));
  expect(toFieldIssues(error!)).toMatchObject([
    { path: ["hasFocus"] },
    { path: ["userId"], message: "is not known here: did you mean userIds?" },
    { path: ["__proto__"], message: expect.stringContaining("there are includeBackgroundSessions, ") },
  ]);
});

it("bounds the ids of users, and takes none at all", () => {
  const ids = (count: number) => ({ userIds: Array.from({ length: count }, (_, i) => `u${i}`) });
  expect(FilterSchema.parse(ids(0)).userIds).toEqual([]);
  expect(FilterSchema.safeParse(ids(MAX_FILTER_USER_IDS)).success).toBe(true);
  expect(FilterSchema.safeParse(ids(MAX_FILTER_USER_IDS + 1)).success).toBe(false);
});

it.each([
  { hasFocus: 1 },
  { isTyping: "true" },
  { selectedConversationId: "" },
  { userIds: "alice" },
  [],
  null,
])("refuses %j", (filter) => expect(FilterSchema.safeParse(filter).success).toBe(false));
