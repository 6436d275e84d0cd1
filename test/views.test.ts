import { describe, expect, it } from "vitest";
import { FilterSchema } from "../src/protocol/filter.ts";
import { NEW_SESSION } from "../src/sessions/session.ts";
import { Table } from "../src/sessions/table.ts";
import { CompiledFilter } from "../src/views/compiled-filter.ts";
import { DiffLog, MAX_DIFF_CHARS, MAX_DIFFS } from "../src/views/diff-log.ts";
import { IDLE_VIEW_MS, MAX_IDLE_MEMBERS, MAX_IDLE_VIEWS, Views } from "../src/views/views.ts";

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
    const table = new Table<object>();
    return { table, views: new Views(table, 50, () => `view${names++}`) };
  };

  it("stay for those who come back, under the same name, and go after a minute", () => {
    const { views } = setUp();
    const view = views.acquire(compile({}));
    views.release(view, 0);
    expect(views.active).toBe(0);
    expect(views.acquire(compile({}))).toBe(view);
    views.release(view, 100);
    views.expireIdle(IDLE_VIEW_MS + 99);
    expect(views.leftovers().views).toBe(1);
    views.expireIdle(IDLE_VIEW_MS + 100);
    expect(Object.values(views.leftovers()).every((left) => left === 0)).toBe(true);
    expect(views.acquire(compile({})).name).not.toBe(view.name);
  });

  it("are bounded in number: the ones idle longest go first", () => {
    const { views } = setUp();
    const first = views.acquire(compile({ userIds: ["first"] }));
    views.release(first, 0);
    for (let i = 0; i < MAX_IDLE_VIEWS; i++) views.release(views.acquire(compile({ userIds: [`${i}`] })), 1);
    expect(views.leftovers().idle).toBe(MAX_IDLE_VIEWS);
    expect(views.acquire(compile({ userIds: ["first"] }))).not.toBe(first);
  });

  it("are bounded in the users that they keep", () => {
    const { table, views } = setUp();
    const perView = 1_000;
    for (let i = 0; i < perView; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
    for (let i = 0; i < MAX_IDLE_MEMBERS / perView + 5; i++) {
      const everyone = { includeBackgroundSessions: i % 2 === 0, userIds: undefined };
      const some = {
        userIds: [...Array(perView)]
          .map((_, n) => `u${n}`)
          .concat(`extra${i}`)
          .slice(1),
      };
      views.release(views.acquire(compile(i < 2 ? everyone : some)), i);
    }
    expect(views.leftovers().idleMembers).toBeLessThanOrEqual(MAX_IDLE_MEMBERS);
  });
});

describe("an event", () => {
  it("looks at no view that it cannot change, however many there are", () => {
    let names = 0;
    const table = new Table<object>();
    const views = new Views<object>(table, 50, () => `view${names++}`);
    let looks = 0;
    for (let i = 0; i < 2_000; i++) {
      const filter = i % 2 === 0 ? { selectedConversationId: `c${i}` } : { userIds: [`u${i}`] };
      const view = views.acquire(compile(filter));
      const touch = view.touch.bind(view);
      view.touch = (...args) => {
        looks++;
        return touch(...args);
      };
    }
    const change = table.open(
      "s",
      "u1",
      "widget",
      { ...NEW_SESSION, selectedConversationId: "c2" },
      undefined,
    );
    views.touch(change, 0);
    expect(looks).toBe(2);
  });
});
