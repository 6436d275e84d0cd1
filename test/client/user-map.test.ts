import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { PresenceValue } from "../../src/client/types.ts";
import { type UserChange, UserMap } from "../../src/client/user-map.ts";
import { someone } from "../support/sdk.ts";
import { runs, SEED } from "../support/seed.ts";

const USERS = ["alice", "bob", "carol", "dora", "__proto__", "constructor"];
const VALUES = ["1", "2", "3"].map((id) => someone(id));
const change = fc.tuple(fc.constantFrom(...USERS), fc.option(fc.constantFrom(...VALUES)));

/** The same, as a `Map` does it. */
function naive(before: ReadonlyMap<string, PresenceValue>, changes: readonly UserChange[]) {
  const map = new Map(before);
  for (const [userId, value] of changes) {
    if (value === null) map.delete(userId);
    else map.set(userId, value);
  }
  return map;
}

function expectSame(users: UserMap, map: ReadonlyMap<string, PresenceValue>): void {
  expect(users.size).toBe(map.size);
  for (const userId of USERS) {
    expect(users.get(userId)).toBe(map.get(userId));
    expect(users.has(userId)).toBe(map.has(userId));
  }
  expect([...users]).toEqual([...map]);
  expect([...users.entries()]).toEqual([...map.entries()]);
  expect([...users.keys()]).toEqual([...map.keys()]);
  expect([...users.values()]).toEqual([...map.values()]);
  const seen: unknown[] = [];
  const self = {};
  users.forEach(function (this: unknown, value, userId, whole) {
    expect(this).toBe(self);
    expect(whole).toBe(users);
    seen.push([userId, value]);
  }, self);
  expect(seen).toEqual([...map]);
  expect(users.weight).toBe([...map.values()].reduce((sum, value) => sum + JSON.stringify(value).length, 0));
}

/** So many users, in as many pages as it takes. */
function crowd(count: number): UserMap {
  return new UserMap().with(Array.from({ length: count }, (_, i) => [`u${i}`, VALUES[0]!]));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a map of users", () => {
  it(`is what a Map is, and stays what it was, whatever comes after it (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(change, { maxLength: 6 }), fc.nat(), fc.boolean()), { maxLength: 25 }),
        (steps) => {
          const versions: [UserMap, Map<string, PresenceValue>][] = [[new UserMap(), new Map()]];
          for (const [changes, pick, isOld] of steps) {
            // Mostly the newest version is continued, as the client does; any may be.
            const [users, map] = isOld ? versions[pick % versions.length]! : versions.at(-1)!;
            versions.push([users.with(changes), naive(map, changes)]);
            // Some are iterated while they are the newest, others later, or never before the end.
            if (pick % 3 === 0) expectSame(...versions.at(-1)!);
          }
          for (const [users, map] of versions) expectSame(users, map);
        },
      ),
      { numRuns: runs(1_000), seed: SEED },
    );
  });

  it("is not changed under an iteration that has begun", () => {
    const before = crowd(3);
    const iterator = before.keys();
    expect(iterator.next().value).toBe("u0");
    before.with([
      ["u1", null],
      ["new", VALUES[1]!],
    ]);
    expect([...iterator]).toEqual(["u1", "u2"]);
  });

  it("costs the size of each change, whatever the number of users", () => {
    const entriesOf = (count: number, diffs: number, size: number) => {
      let users = crowd(count).with([]);
      let entries = 0;
      const set = Map.prototype.set;
      vi.spyOn(Map.prototype, "set").mockImplementation(function (this: Map<unknown, unknown>, key, value) {
        entries++;
        return set.call(this, key, value);
      });
      for (let i = 0; i < diffs; i++) {
        const changes = Array.from(
          { length: size },
          (_, k): UserChange => [`u${(i * size + k) % count}`, VALUES[i % 3]!],
        );
        users = users.with(changes);
        // Reading single users costs nothing of the kind.
        expect(users.get("u0")).toBeDefined();
      }
      vi.restoreAllMocks();
      expect(users.size).toBe(count);
      return entries;
    };
    const changes = 20 * 500;
    for (const count of [100, 1_000, 10_000, 100_000]) {
      const entries = entriesOf(count, 500, 20);
      expect(entries).toBeGreaterThanOrEqual(changes);
      // One for the change, and on average no more than two for the next base.
      expect(entries, `with ${count} users`).toBeLessThanOrEqual(3 * changes + count);
    }
    expect(entriesOf(100_000, 500, 20)).toBe(changes);
  });

  it("keeps no more old values than it has users, and an old version none that come after its base", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const made: WeakRef<PresenceValue>[] = [];
    const fresh = () => {
      const value = someone(`s${made.length}`);
      made.push(new WeakRef(value));
      return value;
    };
    const alive = async () => {
      // What a WeakRef was asked for stays until the end of the turn.
      await new Promise((resolve) => setTimeout(resolve));
      collect();
      return made.filter((each) => each.deref() !== undefined).length;
    };
    const COUNT = 100;
    let users = new UserMap().with(Array.from({ length: COUNT }, (_, i) => [`u${i}`, fresh()]));
    const run = (diffs: number) => {
      for (let i = 0; i < diffs; i++) users = users.with([[`u${i % COUNT}`, fresh()]]);
    };
    run(50);
    const old = users;
    const copy = [...old];
    run(5_000);
    // Those of the newest version and of its log, and the same for the old one.
    expect(await alive()).toBeLessThanOrEqual(4 * COUNT + 10);
    run(5_000);
    expect(await alive()).toBeLessThanOrEqual(4 * COUNT + 10);
    expect([...old]).toEqual(copy);
  });

  it("keeps few values that are large", () => {
    let users = crowd(1_000);
    const large = someone("s", { custom: { text: "x".repeat(100_000) } });
    const before = users;
    let copies = 0;
    const entries = Map.prototype[Symbol.iterator];
    vi.spyOn(Map.prototype, Symbol.iterator).mockImplementation(function (this: Map<unknown, unknown>) {
      if (this.size >= 1_000) copies++;
      return entries.call(this);
    });
    for (let i = 0; i < 40; i++) users = users.with([["u0", large]]);
    vi.restoreAllMocks();
    // After each value that weighs as much as everybody, there is a new base.
    expect(copies).toBeGreaterThanOrEqual(10);
    expect(before.get("u0")).toBe(VALUES[0]);
  });
});
