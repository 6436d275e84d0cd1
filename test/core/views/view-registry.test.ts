import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { DiffLog, DiffLogBudget, MAX_DIFF_CHARS, MAX_DIFFS } from "../../../src/core/views/diff-log.ts";
import {
  IDLE_VIEW_MS,
  MAX_IDLE_BYTES,
  MAX_IDLE_VIEWS,
  ViewRegistry,
} from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Random } from "../../support/random.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

describe("the log of diffs", () => {
  const filled = (count: number, text = "x") => {
    const log = new DiffLog();
    for (let version = 2; version < count + 2; version++) log.push({ version, text });
    return log;
  };

  it("gives what was missed, and nothing to one who missed nothing", () => {
    expect(
      filled(3)
        .since(2, 4)
        ?.map((diff) => diff.version),
    ).toEqual([3, 4]);
    expect(filled(3).since(4, 4)).toEqual([]);
  });

  it("knows when it cannot help: too old, or from the future", () => {
    expect(filled(3).since(0, 4)).toBeUndefined();
    expect(filled(3).since(5, 4)).toBeUndefined();
  });

  it("keeps a bounded number of diffs", () => {
    const current = MAX_DIFFS + 11;
    const log = filled(MAX_DIFFS + 10);
    expect(log.since(current - MAX_DIFFS, current)).toHaveLength(MAX_DIFFS);
    expect(log.since(current - MAX_DIFFS - 1, current)).toBeUndefined();
  });

  it("keeps a bounded number of characters, so that one huge diff is not kept at all", () => {
    const log = filled(5, "x".repeat(MAX_DIFF_CHARS / 2));
    expect(log.since(4, 6)).toHaveLength(2);
    expect(log.since(3, 6)).toBeUndefined();
    log.push({ version: 7, text: "x".repeat(MAX_DIFF_CHARS + 1) });
    expect(log.since(6, 7)).toBeUndefined();
    expect(log.since(7, 7)).toEqual([]);
  });
});

describe("the diff logs of an app", () => {
  const text = "x".repeat(936);
  const DIFF = 1_000;

  it("are bounded by themselves only, while all together are within their budget", () => {
    const budget = new DiffLogBudget(300 * DIFF);
    const log = new DiffLog(budget);
    for (let version = 2; version < 202; version++) log.push({ version, text });
    expect(log.since(1, 201)).toHaveLength(200);
    expect(budget.bytes).toBe(200 * DIFF);
  });

  it("shrink to their fair share when they go over it, and those below it keep all", () => {
    const budget = new DiffLogBudget(300 * DIFF);
    const [large, small, other] = [new DiffLog(budget), new DiffLog(budget), new DiffLog(budget)];
    for (let version = 2; version < 12; version++) small.push({ version, text });
    for (let version = 2; version < 202; version++) large.push({ version, text });
    for (let version = 2; version < 93; version++) other.push({ version, text });
    // The 301st diff was too much: the largest is cut in half.
    expect(large.bytes).toBe(100 * DIFF);
    expect(large.since(101, 201)).toHaveLength(100);
    expect(large.since(100, 201)).toBeUndefined();
    expect(small.since(1, 11)).toHaveLength(10);
    expect(other.since(1, 92)).toHaveLength(91);
    expect(budget.bytes).toBe(201 * DIFF);
    budget.remove(large);
    budget.remove(large);
    expect(budget.bytes).toBe(101 * DIFF);
    expect(budget.size).toBe(2);
  });

  it("never exceed it, and tell only what is so, whatever is pushed and dropped", () => {
    const budget = new DiffLogBudget(50_000);
    const random = new Random(14);
    const models = new Map<DiffLog, { version: number; texts: string[] }>();
    for (let step = 0; step < 4_000; step++) {
      const log = [...models.keys()][random.below(40)] ?? new DiffLog(budget);
      const model = models.get(log) ?? { version: 1, texts: [] };
      models.set(log, model);
      if (random.oneIn(200)) {
        budget.remove(log);
        models.delete(log);
        continue;
      }
      model.version++;
      model.texts.push(`${model.version}`.padEnd(random.below(random.oneIn(10) ? 60_000 : 600), "y"));
      log.push({ version: model.version, text: model.texts.at(-1)! });
      expect(budget.bytes).toBeLessThanOrEqual(50_000);
      expect(budget.bytes).toBe([...models.keys()].reduce((sum, each) => sum + each.bytes, 0));
      const from = 1 + random.below(model.version + 1);
      const missed = log.since(from, model.version);
      if (missed !== undefined) expect(missed.map((diff) => diff.text)).toEqual(model.texts.slice(from - 1));
      expect(log.since(model.version, model.version)).toEqual([]);
    }
    for (const log of models.keys()) budget.remove(log);
    expect([budget.bytes, budget.size]).toEqual([0, 0]);
  });
});

describe("filters with the same meaning", () => {
  it("share a key, whatever the order and repetition of their ids, and whether null or absent", () => {
    const { key } = compile({ userIds: ["a", "b"], hasFocus: null });
    expect(compile({ userIds: ["b", "a", "b"], isTyping: null, unknown: 1 }).key).toBe(key);
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

describe("views that nobody watches", () => {
  const setUp = () => {
    let names = 0;
    const table = new Table();
    return { table, views: new ViewRegistry(table, 50, () => `view${names++}`) };
  };

  it("stay for those who come back, under the same name, and go after a minute", () => {
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

  it("are bounded in number: the ones idle longest go first", () => {
    const { views } = setUp();
    const first = views.acquire(compile({ userIds: ["first"] }));
    views.release(first, 0);
    for (let i = 0; i < MAX_IDLE_VIEWS; i++) views.release(views.acquire(compile({ userIds: [`${i}`] })), 1);
    expect(views.debugCounts().idle).toBe(MAX_IDLE_VIEWS);
    expect(views.acquire(compile({ userIds: ["first"] }))).not.toBe(first);
  });

  it("are bounded in the bytes of the results that they keep", () => {
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

  it("are bounded in the bytes of ids of users who are not there", () => {
    const { views } = setUp();
    const ids = (i: number) => [...Array(1_000)].map((_, n) => `${i}-${n}`.padEnd(245, "x"));
    for (let i = 0; i < 200; i++) views.release(views.acquire(compile({ userIds: ids(i) })), i);
    const { idle, idleBytes } = views.debugCounts();
    expect(idleBytes).toBeLessThanOrEqual(MAX_IDLE_BYTES);
    // Their ids, once as they are and once in the key of the filter, are half a megabyte.
    expect(idle).toBeLessThan(MAX_IDLE_BYTES / 490_000);
  });

  it("count with what their diff logs keep", () => {
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

  it("tell who is charged for them, until they are watched again or dropped", () => {
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

it("one user with a long entry does not make a large view look too large for others", () => {
  const table = new Table();
  const views = new ViewRegistry(table, 50, () => "view");
  const users = 20_000;
  const state = { ...NEW_SESSION, selectedConversationId: "\u4e2d".repeat(250) };
  for (let i = 0; i < 100; i++) table.open(`m${i}`, "mallory", "widget", state, undefined);
  for (let i = 0; i < users; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
  const view = views.acquire(compile({}));
  const early = views.bytesOf(view);
  expect(view.isHydrating).toBe(true);
  while (views.isHydrating) views.hydrateMore();
  const bytes = view.members().reduce((sum, member) => sum + member.length + 96, 0);
  for (const estimate of [early, views.bytesOf(view)]) {
    expect(estimate).toBeGreaterThan(0.85 * bytes);
    expect(estimate).toBeLessThan(1.05 * bytes);
  }
});

it("what a view keeps is measured anew after each flush", () => {
  const random = new Random(5);
  const table = new Table();
  const views = new ViewRegistry(table, 50, () => "view");
  const custom = () => ({ custom: { x: "x".repeat(random.below(50)) } });
  for (let i = 0; i < 1_500; i++) {
    table.open(`s${i}`, `u${i % 1_100}`, "widget", patchState(NEW_SESSION, custom()), undefined);
  }
  const { filter } = views.acquire(compile({}));
  const view = views.find(filter)!;
  // Estimates are for who is to be let in, not for who is.
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

describe("an event", () => {
  it("looks at no view that it cannot change, however many there are", () => {
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
