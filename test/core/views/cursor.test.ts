import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { type Change, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { Cursor } from "../../../src/core/views/cursor.ts";
import { View } from "../../../src/core/views/view.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { HYDRATE_AT_ONCE } from "../../../src/core/views/view-size.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import * as arbitraries from "../../model/arbitraries.ts";
import { runs } from "../../support/seed.ts";

const kind = fc.constantFrom("background" as const, "widget" as const);
const opened = fc.record({
  userId: fc.nat({ max: 12 }).map((n) => `u${n}`),
  kind,
  fields: arbitraries.fields,
});
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("open" as const), session: opened }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("update" as const), pick: fc.nat(), fields: arbitraries.fields }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("end" as const), pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("step" as const) }) },
);
const history = {
  filter: arbitraries.filter.map(({ userIds, ...filter }) => new CompiledFilter(FilterSchema.parse(filter))),
  before: fc.array(opened, { minLength: 5, maxLength: 25, size: "max" }),
  steps: fc.array(step, { maxLength: 30, size: "max" }),
  count: fc.integer({ min: 1, max: 4 }),
};

/** A table whose changes are told. */
class World {
  readonly table = new Table();
  readonly ids: string[] = [];
  onChange: (change: Change) => void = () => {};

  open({ userId, kind: sessionKind, fields }: typeof opened extends fc.Arbitrary<infer T> ? T : never): void {
    const sessionId = `s${this.ids.length}`;
    this.ids.push(sessionId);
    this.onChange(
      this.table.open(sessionId, userId, sessionKind, patchState(NEW_SESSION, fields), undefined),
    );
  }

  do(each: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
    if (each.do === "step") return;
    if (each.do === "open") return this.open(each.session);
    const live = this.ids.filter((id) => this.table.get(id) !== undefined);
    const session = this.table.get(live[each.pick % Math.max(1, live.length)] ?? "");
    if (session === undefined) return;
    const change =
      each.do === "end"
        ? this.table.end(session, "closed")
        : this.table.update(session, patchState(session, each.fields));
    if (change !== undefined) this.onChange(change);
  }

  result(filter: CompiledFilter): Map<string, string> {
    const result = new Map<string, string>();
    filter.forEachUser(this.table, (user) => result.set(user.userId, user.encodedEntry(filter)));
    return result;
  }
}

describe("a cursor over a table that changes", () => {
  it("visits each user who stays in the result once, and nobody twice", () => {
    fc.assert(
      fc.property(
        history.filter,
        history.before,
        history.steps,
        history.count,
        (filter, before, steps, count) => {
          const world = new World();
          for (const session of before) world.open(session);
          const throughout = new Set(world.result(filter).keys());
          const walk = new Cursor(filter, world.table);
          const visited: string[] = [];
          let done = false;
          const go = () => {
            done ||= walk.step(count, ({ userId }) => visited.push(userId));
          };
          go();
          for (const each of done ? [] : steps) {
            world.do(each);
            const now = world.result(filter);
            for (const userId of throughout) if (!now.has(userId)) throughout.delete(userId);
            if (each.do === "step" && !done) go();
          }
          while (!done) go();
          for (const userId of throughout) expect(visited).toContain(userId);
          expect(new Set(visited).size).toBe(visited.length);
        },
      ),
      { numRuns: runs(2_000) },
    );
  });

  it("makes a view that is correct after its first flush, whatever happened while it was hydrated", () => {
    fc.assert(
      fc.property(
        history.filter,
        history.before,
        history.steps,
        history.count,
        (filter, before, steps, count) => {
          const world = new World();
          for (const session of before) world.open(session);
          const view = new View("view", filter, world.table);
          world.onChange = (change) => {
            if (
              filter.conversationId === undefined ||
              change.statusChanged ||
              touches(change, filter.conversationId)
            )
              view.markDirty(change, 0);
          };
          let done = false;
          for (const each of steps) {
            world.do(each);
            if (each.do === "step" && !done) done = view.hydrate(count);
          }
          while (!done) done = view.hydrate(count);
          view.flush();
          expect(new Map(view.members().map((member) => [memberId(member), member]))).toEqual(
            world.result(filter),
          );
        },
      ),
      { numRuns: runs(2_000) },
    );
  });
});

describe("large views", () => {
  it("are hydrated in turns, not flushed before they are complete, and then equal a query's result", () => {
    const world = new World();
    const fields = {
      visible: true,
      selectedConversationId: null,
      hasFocus: false,
      isTyping: false,
      isIdle: false,
      custom: {},
    };
    for (let i = 0; i < 3 * HYDRATE_AT_ONCE; i++) world.open({ userId: `u${i}`, kind: "widget", fields });
    let names = 0;
    const views = new ViewRegistry(world.table, 0, () => `view${names++}`);
    world.onChange = (change) => views.markDirty(change, 0);
    const view = views.acquire(new CompiledFilter(FilterSchema.parse({})));
    const other = views.acquire(new CompiledFilter(FilterSchema.parse({ hasFocus: false })));
    expect([view.isHydrating, other.isHydrating]).toEqual([true, true]);
    expect(view.size).toBe(HYDRATE_AT_ONCE);
    // Both a user who is collected already and one who is not yet.
    for (const userId of ["u1", `u${2 * HYDRATE_AT_ONCE}`]) world.open({ userId, kind: "widget", fields });
    expect(views.takeReady(0)).toBeUndefined();
    const collected = [];
    while (views.isHydrating) {
      const { view: next } = views.hydrateMore()!;
      if (!next.isHydrating) collected.push(next);
    }
    expect(collected).toEqual([view, other]);
    expect([views.takeReady(0), views.takeReady(0), views.takeReady(0)]).toEqual([view, other, undefined]);
    expect(Object.keys(JSON.parse(view.flush().diff!.whole()).data)).toEqual(["u1"]);
    expect(new Set(view.members())).toEqual(new Set(world.result(view.filter).values()));
  });
});

function touches({ user, from, to, visibilityFlipped }: Change, conversationId: string | null): boolean {
  const elsewhere = user.sessions.some((session) => session.selectedConversationId === conversationId);
  return from === conversationId || to === conversationId || (visibilityFlipped && elsewhere);
}

function memberId(member: string): string {
  return Object.keys(JSON.parse(`{${member}}`))[0]!;
}
