import { describe, expect, it } from "vitest";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { allowFilter } from "../../../src/server/auth/allowed-filter.ts";
import { App } from "../../../src/server/auth/app.ts";
import type { Grant, Principal } from "../../../src/server/auth/principal.ts";

const app = new App({ id: "app", secrets: ["x"], indexedCustom: ["team"] });
const BACK_END: Principal = { kind: "app", exp: undefined };

function alice(grant: Grant | { counts?: boolean; userIds?: string[]; conversationIds?: string[] } = {}) {
  if ("kind" in grant) return { kind: "user", userId: "alice", grant, exp: undefined } as const;
  const { counts = false, userIds = [], conversationIds = [] } = grant;
  const some: Grant = {
    kind: "some",
    userIds: new Set(userIds),
    conversationIds: new Set(conversationIds),
    counts,
  };
  return { kind: "user", userId: "alice", grant: some, exp: undefined } as const;
}

/** What the answer shows; the code, or the path, of a refusal. */
function ask(principal: Principal, filter: object, isCount = false): string {
  const allowed = allowFilter(app, principal, FilterSchema.parse(filter), isCount);
  if (allowed.ok) return allowed.filter.showsInvisible ? "all, invisible ones too" : "all";
  return allowed.code === "FORBIDDEN" ? allowed.code : allowed.issue.path;
}

describe("who sees an invisible user", () => {
  const all = alice({ kind: "all" });

  it("is the user, asking for nobody else", () => {
    for (const user of [alice(), all]) {
      expect(ask(user, { userIds: ["alice"] })).toBe("all, invisible ones too");
      expect(ask(user, { userIds: ["alice", "alice"], hasFocus: true })).toBe("all, invisible ones too");
      expect(ask(user, { userIds: ["alice"] }, true)).toBe("all, invisible ones too");
      expect(ask(user, { userIds: ["alice"], status: ["online"] })).toBe("all");
    }
    expect(ask(all, { userIds: ["alice", "bob"] })).toBe("all");
    expect(ask(all, { userIds: ["bob"] })).toBe("all");
    expect(ask(all, {})).toBe("all");
    expect(ask(alice(), { userIds: [] })).toBe("all");
  });

  it("is a back end that asks for them, and no user", () => {
    expect(ask(BACK_END, { includeInvisible: true })).toBe("all, invisible ones too");
    expect(ask(BACK_END, { includeInvisible: true, status: ["dnd"] })).toBe("all");
    expect(ask(BACK_END, { userIds: ["alice"] })).toBe("all");
    expect(ask(BACK_END, { includeInvisible: false })).toBe("all");
    for (const user of [alice(), all, alice({ counts: true })]) {
      for (const isCount of [false, true]) {
        expect(ask(user, { includeInvisible: true }, isCount)).toBe("FORBIDDEN");
        expect(ask(user, { includeInvisible: true, userIds: ["alice"] }, isCount)).toBe("FORBIDDEN");
      }
    }
    expect(ask(all, { includeInvisible: false })).toBe("all");
  });
});

describe("the right to counts", () => {
  it("is for counts over all users, and for nothing else", () => {
    const counter = alice({ counts: true });
    expect(ask(counter, {}, true)).toBe("all");
    expect(ask(counter, { custom: { team: "a" }, status: ["busy"] }, true)).toBe("all");
    expect(ask(counter, { selectedConversationId: "c1" }, true)).toBe("all");
    expect(ask(counter, { userIds: ["bob"] }, true)).toBe("FORBIDDEN");
    expect(ask(counter, { userIds: ["alice", "bob"] }, true)).toBe("FORBIDDEN");
    expect(ask(counter, {})).toBe("FORBIDDEN");
    expect(ask(alice(), {}, true)).toBe("FORBIDDEN");
    expect(ask(alice({ userIds: ["bob"] }), { userIds: ["bob"] }, true)).toBe("all");
    expect(ask(alice({ conversationIds: ["c1"] }), { selectedConversationId: "c1" }, true)).toBe("all");
  });
});

describe("a filter on custom", () => {
  it("needs ids, a conversation or a key that is indexed", () => {
    expect(ask(BACK_END, { custom: { mood: "x" } })).toBe("custom");
    expect(ask(BACK_END, { custom: { mood: "x" }, userIds: null })).toBe("custom");
    expect(ask(BACK_END, { custom: { mood: "x" } }, true)).toBe("custom");
    expect(ask(BACK_END, { custom: { constructor: "x" } })).toBe("custom");
    expect(ask(BACK_END, { custom: { mood: "x", team: ["a", "b"] } })).toBe("all");
    expect(ask(BACK_END, { custom: { mood: "x" }, userIds: [] })).toBe("all");
    expect(ask(BACK_END, { custom: { mood: "x" }, selectedConversationId: null })).toBe("all");
    expect(ask(alice({ counts: true }), { custom: { mood: "x" } }, true)).toBe("custom");
  });
});
