import { describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { type Change, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

describe("an event", () => {
  it("visits no view that it cannot affect, however many there are", () => {
    let names = 0;
    const table = new Table();
    const views = new ViewRegistry(table, 50, () => `view${names++}`);
    let looks = 0;
    for (let i = 0; i < 2_000; i++) {
      const filter = i % 2 === 0 ? { selectedConversationId: `c${i}` } : { userIds: [`u${i}`] };
      const view = views.acquire(compile(filter));
      const markDirty = view.markDirty.bind(view);
      view.markDirty = (...args) => {
        looks++;
        return markDirty(...args);
      };
    }
    const change = table.open(
      "s",
      "u1",
      "widget",
      { ...NEW_SESSION, selectedConversationId: "c2" },
      undefined,
    );
    views.markDirty(change, 0);
    expect(looks).toBe(2);
  });
});

describe("a filter on an indexed value", () => {
  it("is visited for sessions with that value, and for no others, however many there are", () => {
    let names = 0;
    const table = new Table(["team"]);
    const views = new ViewRegistry(table, 50, () => `view${names++}`);
    let looks = 0;
    const acquired = Array.from({ length: 2_000 }, (_, i) => {
      const view = views.acquire(compile({ custom: { mood: "x", team: [`t${i}`, `t${i + 1}`] } }));
      const markDirty = view.markDirty.bind(view);
      view.markDirty = (...args) => {
        looks++;
        return markDirty(...args);
      };
      return view;
    });
    const lookedAt = (change: Change | undefined) => {
      looks = 0;
      if (change !== undefined) views.markDirty(change, 0);
      return looks;
    };
    const state = (custom: Record<string, string>, patch = {}) => ({ ...NEW_SESSION, custom, ...patch });
    const open = (custom: Record<string, string>) => {
      const id = `s${names++}`;
      return [lookedAt(table.open(id, "alice", "widget", state(custom), undefined)), table.get(id)!] as const;
    };
    expect(open({ page: "x" })[0]).toBe(0);
    const [count, session] = open({ team: "t5", mood: "x" });
    expect(count).toBe(2);
    expect(lookedAt(table.update(session, state({ team: "t5" }, { hasFocus: true })))).toBe(2);
    expect(lookedAt(table.update(session, state({ team: "t9" })))).toBe(4);
    expect(lookedAt(table.end(session, "closed"))).toBe(2);
    for (const view of acquired) views.drop(view);
    expect(views.debugCounts()).toMatchObject({ index: 0 });
  });

  it("is visited when the status of a user with such a session changes", () => {
    const table = new Table(["team"]);
    const views = new ViewRegistry(table, 50, () => "view");
    const view = views.acquire(compile({ custom: { team: "a" }, status: ["busy"] }));
    table.open("s", "alice", "widget", { ...NEW_SESSION, custom: { team: "a" } }, undefined);
    const status = { ...DEFAULT_STATUS, availability: "busy" } as const;
    const profile = { status, lastSeenAt: undefined, version: 1, usedAt: 0 };
    views.markDirty(table.setProfile("alice", profile)!, 0);
    expect(view.isMarked).toBe(true);
  });
});
