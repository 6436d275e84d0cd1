import { describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { type Change, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

/** A table with `count` views. Counts how many of them are told of a change. */
function watchedTable(count: number, filterOf: (i: number) => object) {
  let names = 0;
  let looks = 0;
  const table = new Table(["team"]);
  const views = new ViewRegistry(table, 50, () => `view${names++}`);
  const acquired = Array.from({ length: count }, (_, i) => {
    const view = views.acquire(compile(filterOf(i)));
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
  return { table, views, acquired, lookedAt };
}

describe("an event", () => {
  it("visits no view that it cannot affect, however many there are", () => {
    const { table, lookedAt } = watchedTable(2_000, (i) =>
      i % 2 === 0 ? { selectedConversationId: `c${i}` } : { userIds: [`u${i}`] },
    );
    const change = table.open(
      "s",
      "u1",
      "widget",
      { ...NEW_SESSION, selectedConversationId: "c2" },
      undefined,
    );
    expect(lookedAt(change)).toBe(2);
  });
});

describe("a filter on an indexed value", () => {
  it("is visited for sessions with that value, and for no others, however many there are", () => {
    let names = 0;
    const { table, views, acquired, lookedAt } = watchedTable(2_000, (i) => ({
      custom: { mood: "x", team: [`t${i}`, `t${i + 1}`] },
    }));
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

  it("is found by its value in a conversation, too, whether or not the key is indexed", () => {
    const { table, views, acquired, lookedAt } = watchedTable(2_000, (i) => ({
      selectedConversationId: "c1",
      custom: i % 2 === 0 ? { team: `t${i}` } : { mood: `m${i}` },
    }));
    const state = (selectedConversationId: string, custom: Record<string, string>) => ({
      ...NEW_SESSION,
      selectedConversationId,
      custom,
    });
    expect(lookedAt(table.open("s", "u", "widget", state("c1", { page: "x" }), undefined))).toBe(0);
    const session = table.get("s")!;
    expect(lookedAt(table.update(session, state("c1", { mood: "m7", team: "t6" })))).toBe(2);
    expect(lookedAt(table.update(session, state("c2", { mood: "m7", team: "t6" })))).toBe(2);
    expect(lookedAt(table.update(session, state("c1", { mood: "m9" })))).toBe(3);
    expect(acquired[9]!.isMarked).toBe(true);
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
