import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { toFieldIssues } from "../../src/protocol/codec.ts";
import { FILTER_FIELDS } from "../../src/protocol/filter.ts";
import { editDistance, namesUnknownFields, probablyMeant, shown } from "../../src/protocol/unknown-fields.ts";

describe("the field that was probably meant", () => {
  it.each([
    ["userId", "userIds"],
    ["userids", "userIds"],
    ["user_ids", "userIds"],
    ["users", undefined],
    ["hasfocus", "hasFocus"],
    ["focus", "hasFocus"],
    ["typing", "isTyping"],
    ["istyping", "isTyping"],
    ["conversationId", "selectedConversationId"],
    ["selectedConversation", "selectedConversationId"],
    ["includeBackground", "includeBackgroundSessions"],
    ["x", undefined],
    ["", undefined],
    ["__proto__", undefined],
    ["userIds".repeat(20), undefined],
  ])("by %j is %j", (name, meant) => expect(probablyMeant(name, FILTER_FIELDS)).toBe(meant));
});

it("counts edits as a recursion does that tries everything", () => {
  const naive = (from: string, to: string): number =>
    from === "" || to === ""
      ? from.length + to.length
      : Math.min(
          naive(from.slice(1), to.slice(1)) + (from[0] === to[0] ? 0 : 1),
          naive(from.slice(1), to) + 1,
          naive(from, to.slice(1)) + 1,
        );
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 });
  fc.assert(fc.property(word, word, (from, to) => editDistance(from, to) === naive(from, to)));
});

it("names a bounded number of fields, in a bounded number of characters", () => {
  const schema = z.strictObject({ known: z.string() }, { error: namesUnknownFields(["known"]) });
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`${i}`.repeat(100), 1]));
  const issues = toFieldIssues(schema.safeParse({ known: "", ...many }).error!);
  expect(issues).toHaveLength(10);
  expect(JSON.stringify(issues).length).toBeLessThan(2_000);
  expect(shown("x".repeat(65))).toBe(`${"x".repeat(64)}…`);
});

it("keeps names apart, whatever is in them", () => {
  const schema = z.strictObject({}, { error: namesUnknownFields(["a"]) });
  const names = ["a.b", "line\nbreak", "A"];
  const issues = toFieldIssues(schema.safeParse(Object.fromEntries(names.map((name) => [name, 1]))).error!);
  expect(issues.map(({ path }) => path)).toEqual(names.map((name) => [name]));
  expect(issues[2]!.message).toBe("is not known here: did you mean a?");
});
