import { expect, it, vi } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { type Change, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { applyPatch } from "../../support/apply-patch.ts";
import { Random } from "../../support/random.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

function setUp(filter: unknown = {}) {
  const table = new Table();
  const view = new View("view", compile(filter), table);
  const markDirty = (change: Change | undefined) => change && view.markDirty(change, 0);
  return { table, view, markDirty };
}

it.each([
  {},
  { hasFocus: true },
  { selectedConversationId: "c1", includeBackgroundSessions: true },
  { selectedConversationId: null, isTyping: false },
])("has after each flush what a new view of %j has, and its diffs lead there", (filter) => {
  const random = new Random(8);
  const { table, view, markDirty } = setUp(filter);
  view.hydrate(1);
  const state = () =>
    patchState(NEW_SESSION, {
      visible: !random.oneIn(4),
      hasFocus: random.oneIn(2),
      isTyping: random.oneIn(2),
      selectedConversationId: random.oneIn(3) ? null : `c${random.below(2)}`,
    });
  const rebuilt: Record<string, unknown> = {};
  const patched: Record<string, unknown> = {};
  let patches = 0;
  for (let step = 0; step < 2_000; step++) {
    const session = table.get(`s${random.below(12)}`);
    if (session === undefined) {
      const kind = random.oneIn(2) ? "widget" : "background";
      const id = Array.from({ length: 12 }, (_, i) => `s${i}`).find((each) => table.get(each) === undefined)!;
      markDirty(table.open(id, `u${random.below(4)}`, kind, state(), undefined));
    } else if (random.oneIn(4)) markDirty(table.end(session, "closed"));
    else markDirty(table.update(session, state()));
    if (!random.oneIn(3)) continue;
    const { version } = view;
    const withPatches = random.oneIn(2);
    const { diff } = view.flush(withPatches);
    expect(view.version).toBe(diff === undefined ? version : version + 1);
    if (diff !== undefined) {
      const { data, causes } = JSON.parse(diff.whole());
      for (const [userId, value] of Object.entries(data)) {
        if (value !== null) rebuilt[userId] = value;
        else {
          expect(causes[userId]).toBeTypeOf("string");
          delete rebuilt[userId];
          delete patched[userId];
        }
      }
      if (diff.patch !== undefined) patches++;
      expect(withPatches || diff.patch === undefined).toBe(true);
      const same = JSON.parse(diff.patch ?? diff.whole());
      expect([same.version, same.causes, Object.keys(same.data)]).toEqual([
        diff.version,
        causes,
        Object.keys(data),
      ]);
      for (const [userId, value] of Object.entries(same.data)) {
        if (value !== null) patched[userId] = applyPatch(patched[userId], value);
      }
    }
    const fresh = new View("fresh", compile(filter), table);
    while (!fresh.hydrate(5));
    expect([...view.members()].sort()).toEqual([...fresh.members()].sort());
    expect(view.length).toBe(fresh.length);
    expect(rebuilt).toEqual(JSON.parse(`{${fresh.members().join(",")}}`));
    expect(patched).toEqual(rebuilt);
  }
  expect(patches).toBeGreaterThan(0);
});

it("has no diff for a user who was changed back before the flush", () => {
  const { table, view, markDirty } = setUp();
  markDirty(table.open("s", "alice", "widget", NEW_SESSION, undefined));
  view.hydrate(10);
  view.flush();
  const session = table.get("s")!;
  const { version } = view;
  expect(markDirty(table.update(session, patchState(session, { hasFocus: true })))).toBe("marked");
  expect(markDirty(table.update(session, patchState(session, { hasFocus: false })))).toBe("coalesced");
  expect(view.flush()).toMatchObject({ diff: undefined, changes: 0 });
  expect([view.version, view.isMarked]).toEqual([version, false]);
});

it("is not marked by a change of sessions that its filter does not match", () => {
  const { table, view, markDirty } = setUp({ hasFocus: true });
  view.hydrate(10);
  expect(markDirty(table.open("s", "alice", "widget", NEW_SESSION, undefined))).toBe("unaffected");
  expect(view.isMarked).toBe(false);
});

it("leaves out a user who cannot be encoded, and keeps the mark", () => {
  const { table, view, markDirty } = setUp();
  view.hydrate(10);
  for (const userId of ["alice", "bob"]) {
    markDirty(table.open(`s-${userId}`, userId, "widget", NEW_SESSION, undefined));
  }
  const encode = vi.spyOn(table.user("bob")!, "encodedEntry").mockImplementation(() => {
    throw new Error("a defect");
  });
  const { diff, changes, errors } = view.flush();
  expect(Object.keys(JSON.parse(diff!.whole()).data)).toEqual(["alice"]);
  expect([changes, errors.length, view.hasLeftOut, view.isMarked]).toEqual([1, 1, true, true]);
  encode.mockRestore();
  expect(Object.keys(JSON.parse(view.flush().diff!.whole()).data)).toEqual(["bob"]);
  expect([view.hasLeftOut, view.isMarked]).toEqual([false, false]);
});

it("tells a follower who has changed, what they were before, and why they have left", () => {
  const { table, view, markDirty } = setUp();
  markDirty(table.open("s-bob", "bob", "widget", NEW_SESSION, undefined));
  view.hydrate(10);
  view.flush();
  const told: unknown[] = [];
  const follower = { changed: (...args: unknown[]) => void told.push(args) };
  view.follow(follower);
  markDirty(table.open("s", "alice", "widget", NEW_SESSION, undefined));
  markDirty(table.update(table.get("s-bob")!, patchState(NEW_SESSION, { isTyping: true })));
  view.flush();
  expect(told.splice(0)).toEqual([
    ["alice", false, undefined],
    ["bob", true, undefined],
  ]);
  expect(view.entry("alice")).toMatch(/^"alice":\{/);
  markDirty(table.end(table.get("s")!, "kicked"));
  view.flush();
  expect(told.splice(0)).toEqual([["alice", true, "kicked"]]);
  expect(view.entry("alice")).toBeUndefined();
  view.unfollow(follower);
  markDirty(table.end(table.get("s-bob")!, "closed"));
  view.flush();
  expect(told).toEqual([]);
});
