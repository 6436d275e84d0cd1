import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import {
  IDLE_VIEW_MS,
  MAX_IDLE_BYTES,
  MAX_IDLE_VIEWS,
  ViewRegistry,
} from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Random } from "../../support/random.ts";
import { seeds } from "../../support/seed.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

const INTERVAL_MS = 50;

function setUp() {
  let names = 0;
  const table = new Table();
  return { table, views: new ViewRegistry(table, INTERVAL_MS, () => `view${names++}`) };
}

describe("idle views", () => {
  it("are kept for a minute, under the same name", () => {
    const { views } = setUp();
    const view = views.acquire(compile({}));
    views.release(view, 0);
    expect(views.active).toBe(0);
    expect(views.acquire(compile({}))).toBe(view);
    views.release(view, 100);
    views.expireIdle(IDLE_VIEW_MS + 99);
    expect(views.debugCounts().views).toBe(1);
    views.expireIdle(IDLE_VIEW_MS + 100);
    expect(Object.values(views.debugCounts()).every((left) => left === 0)).toBe(true);
    expect(views.acquire(compile({})).name).not.toBe(view.name);
  });

  it("are limited in number: the ones idle longest are dropped first", () => {
    const { views } = setUp();
    const first = views.acquire(compile({ userIds: ["first"] }));
    views.release(first, 0);
    for (let i = 0; i < MAX_IDLE_VIEWS; i++) views.release(views.acquire(compile({ userIds: [`${i}`] })), 1);
    expect(views.debugCounts().idle).toBe(MAX_IDLE_VIEWS);
    expect(views.acquire(compile({ userIds: ["first"] }))).not.toBe(first);
  });

  it("are limited in the bytes of the results that they keep", () => {
    const { table, views } = setUp();
    const perView = 1_000;
    for (let i = 0; i < perView; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
    const users = [...Array(perView)].map((_, n) => `u${n}`);
    const first = views.acquire(compile({ userIds: users }));
    const bytes = views.bytesOf(first);
    // An entry of a user with one session has some 200 characters.
    expect(bytes).toBeGreaterThan(perView * 200);
    expect(bytes).toBeLessThan(perView * 800);
    views.release(first, 0);
    const enough = Math.ceil(MAX_IDLE_BYTES / bytes);
    for (let i = 0; i < enough; i++) {
      views.release(views.acquire(compile({ userIds: [...users.slice(1), `extra${i}`] })), 1);
    }
    const left = views.debugCounts();
    expect(left.idleBytes).toBeLessThanOrEqual(MAX_IDLE_BYTES);
    expect(left.idle).toBeGreaterThan(0.9 * enough);
    expect(views.acquire(compile({ userIds: users }))).not.toBe(first);
  });

  it("are limited in the bytes of ids of users who are offline", () => {
    const { views } = setUp();
    const ids = (i: number) => [...Array(1_000)].map((_, n) => `${i}-${n}`.padEnd(245, "x"));
    for (let i = 0; i < 200; i++) views.release(views.acquire(compile({ userIds: ids(i) })), i);
    const { idle, idleBytes } = views.debugCounts();
    expect(idleBytes).toBeLessThanOrEqual(MAX_IDLE_BYTES);
    // Their ids, once as they are and once in the key of the filter, are half a megabyte.
    expect(idle).toBeLessThan(MAX_IDLE_BYTES / 490_000);
  });

  it("count with the bytes of their diff logs", () => {
    const { table, views } = setUp();
    const view = views.acquire(compile({}));
    const state = (n: number) => ({ ...NEW_SESSION, selectedConversationId: `c${n}` });
    const { user } = table.open("s", "u", "widget", state(0), undefined);
    for (let n = 1; n <= 100; n++) {
      views.markDirty(table.update(user.sessions[0]!, state(n))!, 100 * n);
      views.takeReady(100 * n)!.flush();
      views.rest(view, 50, 100 * n);
    }
    const withoutLog = views.bytesOf(view);
    views.release(view, 10_000);
    expect(views.debugCounts().idleBytes).toBeGreaterThan(withoutLog + 100 * 200);
    views.expireIdle(10_000 + IDLE_VIEW_MS);
    expect(Object.values(views.debugCounts()).every((left) => left === 0)).toBe(true);
  });

  it("are charged to their owner until they have a subscriber again or are dropped", () => {
    const { views } = setUp();
    const charged = new Map<string, number>();
    const owner = {
      flushFreeAt: 0,
      onIdle: (key: string, bytes: number) => void charged.set(key, bytes),
      onIdleEnd: (key: string) => void charged.delete(key),
    };
    const view = views.acquire(compile({}));
    views.release(view, 0, owner);
    expect(charged.get(view.filter.key)).toBeGreaterThan(0);
    views.acquire(compile({}));
    expect(charged.size).toBe(0);
    views.release(view, 0, owner);
    views.dropIdle(view.filter.key);
    expect(charged.size).toBe(0);
    expect(views.debugCounts().views).toBe(0);
    // One that is watched stays.
    const watched = views.acquire(compile({}));
    views.dropIdle(watched.filter.key);
    expect(views.find(watched.filter)).toBe(watched);
    views.release(views.acquire(compile({})), 0, owner);
    views.expireIdle(IDLE_VIEW_MS);
    expect(charged.size).toBe(0);
  });
});

it("the size of a view is measured again after each flush", () => {
  const random = new Random(5);
  const table = new Table();
  const views = new ViewRegistry(table, 50, () => "view");
  const custom = () => ({ custom: { x: "x".repeat(random.below(50)) } });
  for (let i = 0; i < 1_500; i++) {
    table.open(`s${i}`, `u${i % 1_100}`, "widget", patchState(NEW_SESSION, custom()), undefined);
  }
  const { filter } = views.acquire(compile({}));
  const view = views.find(filter)!;
  // An estimate decides whether a new subscription is admitted. It says nothing of those that exist.
  expect([view.isHydrating, views.bytesOfKey(filter.key)]).toEqual([true, undefined]);
  const open = (i: number) =>
    table.open(`s${i}`, `u${random.below(1_200)}`, "widget", patchState(NEW_SESSION, custom()), undefined);
  views.markDirty(open(1_500), 0);
  while (views.isHydrating) views.hydrateMore();
  const empty = new ViewRegistry(table, 50, () => "empty");
  const alone = empty.bytesOf(empty.acquire(compile({ hasFocus: true })));
  for (let round = 0; round < 200; round++) {
    const session = table.get(`s${random.below(1_500 + round)}`);
    const change =
      session === undefined
        ? open(1_501 + round)
        : random.oneIn(3)
          ? table.end(session, "closed")
          : table.update(session, patchState(session, custom()));
    if (change !== undefined) views.markDirty(change, round);
    if (round % 4 > 0) continue;
    if (view.isMarked) view.flush();
    const members = view.members().reduce((sum, member) => sum + member.length + 96, 0);
    expect(views.bytesOfKey(filter.key)).toBe(alone + members);
  }
  views.drop(view);
  expect(views.bytesOfKey(filter.key)).toBe(undefined);
});

describe("rests", () => {
  /** Views of one user each, which change when `mark` is called. */
  function setUpViews(names: readonly string[]) {
    const { table, views } = setUp();
    const byName = new Map(names.map((name) => [name, views.acquire(compile({ userIds: [name] }))]));
    const nameOf = new Map([...byName].map(([name, view]) => [view, name]));
    for (const name of names) table.open(`s-${name}`, name, "widget", NEW_SESSION, undefined);
    const mark = (name: string, now: number) => {
      const session = table.get(`s-${name}`)!;
      views.markDirty(table.update(session, patchState(session, { hasFocus: !session.hasFocus }))!, now);
    };
    /** Flushes what is ready, and lets it rest from `now` on. Returns the names. */
    const flush = (now: number, restMs = INTERVAL_MS) => {
      const flushed: string[] = [];
      for (let view = views.takeReady(now); view; view = views.takeReady(now)) {
        const { diff } = view.flush();
        views.rest(view, diff === undefined ? 0 : restMs, now);
        if (diff !== undefined) flushed.push(nameOf.get(view)!);
      }
      return flushed.join("");
    };
    return { views, mark, flush };
  }

  it("end on a tick that all views share, an interval after the flush at least", () => {
    const { views, mark, flush } = setUpViews(["a", "b", "c"]);
    for (const [name, now] of [
      ["a", 0],
      ["b", 20],
      ["c", 40],
    ] as const) {
      mark(name, now);
      // The first change of a quiet view does not wait.
      expect(flush(now)).toBe(name);
    }
    for (const name of ["a", "b", "c"]) mark(name, 45);
    expect([views.nextDueAt(), flush(49), flush(50)]).toEqual([50, "", "a"]);
    mark("a", 60);
    // The rests of b and c have taken longer than an interval, and less than two.
    expect([views.nextDueAt(), flush(99), flush(100)]).toEqual([100, "", "bca"]);
    for (const name of ["a", "b", "c"]) mark(name, 110);
    expect([flush(149), flush(150)]).toEqual(["", "bca"]);
    // A view that has not changed is quiet again.
    mark("a", 160);
    expect([flush(200), flush(201)]).toEqual(["a", ""]);
    mark("b", 210);
    expect(flush(210)).toBe("b");
  });

  it("end together if the flushes of one tick took a while: the next tick waits for the last of them", () => {
    const { views, mark, flush } = setUpViews(["a", "b"]);
    for (const now of [0, 10]) {
      for (const name of ["a", "b"]) mark(name, now);
      flush(0);
    }
    const first = views.takeReady(50)!;
    const second = views.takeReady(50)!;
    for (const [view, now] of [
      [first, 50],
      [second, 57],
    ] as const) {
      view.flush();
      views.rest(view, INTERVAL_MS, now);
    }
    for (const name of ["a", "b"]) mark(name, 60);
    expect([views.nextDueAt(), flush(106), flush(107)]).toEqual([107, "", "ab"]);
  });

  it("of expensive views end on a tick too", () => {
    const { views, mark, flush } = setUpViews(["a", "x"]);
    mark("x", 0);
    flush(0, 2.5 * INTERVAL_MS);
    for (let now = 0; now < 125; now += INTERVAL_MS) {
      mark("a", now);
      expect(flush(now)).toBe("a");
    }
    for (const name of ["a", "x"]) mark(name, 120);
    expect([views.nextDueAt(), flush(149), flush(150)]).toEqual([150, "", "ax"]);
    // Also if no other view rests.
    const alone = setUpViews(["x"]);
    alone.mark("x", 0);
    alone.flush(0, 2.5 * INTERVAL_MS);
    alone.mark("x", 1);
    expect([alone.views.nextDueAt(), alone.flush(124), alone.flush(125)]).toEqual([125, "", "x"]);
  });

  it.each(seeds(5))("are never shorter than the interval, nor twice as long (seed %i)", (seed) => {
    const random = new Random(seed);
    const names = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i));
    const { views, mark, flush } = setUpViews(names);
    const flushedAt = new Map<string, number>();
    const markedAt = new Map<string, number>();
    for (let now = 0; now < 20_000; now++) {
      if (random.oneIn(4)) {
        const name = random.pick(names.slice(0, 1 + random.below(names.length)));
        mark(name, now);
        if (!markedAt.delete(name)) markedAt.set(name, now);
      }
      for (const name of flush(now)) {
        expect(now - (flushedAt.get(name) ?? -INTERVAL_MS)).toBeGreaterThanOrEqual(INTERVAL_MS);
        flushedAt.set(name, now);
        markedAt.delete(name);
      }
      for (const at of markedAt.values()) expect(now - at).toBeLessThan(2 * INTERVAL_MS);
    }
    for (let now = 20_000; !views.isAtRest; now++) flush(now);
    expect(views.debugCounts().resting).toBe(0);
  });
});
