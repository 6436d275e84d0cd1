import { describe, expect, it } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

describe("filters with the same meaning", () => {
  it("share a key, whatever the order and repetition of their ids, and whether null or absent", () => {
    const { key } = compile({ userIds: ["a", "b"], hasFocus: null });
    expect(compile({ userIds: ["b", "a", "b"], isTyping: null, expandUser: true }).key).toBe(key);
  });

  it("have other keys when they mean something else", () => {
    const filters = [
      {},
      { userIds: [] },
      { userIds: ["a"] },
      { userIds: ["a,b"] },
      { userIds: ["a", "b"] },
      { selectedConversationId: null },
      { selectedConversationId: "a" },
      { selectedConversationId: "0" },
      { selectedConversationId: "null" },
      { hasFocus: true },
      { isTyping: true },
      { includeBackgroundSessions: true },
    ];
    expect(new Set(filters.map((filter) => compile(filter).key)).size).toBe(filters.length);
  });
});
