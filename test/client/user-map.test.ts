import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PresenceValue } from "../../src/client/types.ts";
import { type UserChange, UserMap } from "../../src/client/user-map.ts";
import { someone } from "../support/sdk.ts";
import { runs, SEED } from "../support/seed.ts";

const USERS = ["alice", "bob", "carol", "dora", "eve", "Zoe", "", "\u{1f600}", "__proto__", "constructor"];
const VALUES = ["1", "2", "3"].map((id) => someone(id));
const change = fc.tuple(fc.constantFrom(...USERS), fc.option(fc.constantFrom(...VALUES)));

/** The same as a plain `Map`, in the order of the ids. */
function naive(before: ReadonlyMap<string, PresenceValue>, changes: readonly UserChange[]) {
  const map = new Map(before);
  for (const [userId, value] of changes) {
    if (value === null) map.delete(userId);
    else map.set(userId, value);
  }
  return new Map([...map].sort(([one], [other]) => (one < other ? -1 : 1)));
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

/** So many users. */
function crowd(count: number): UserMap {
  return new UserMap(
    undefined,
    Array.from({ length: count }, (_, i): UserChange => [`u${i}`, VALUES[0]!]),
  );
}

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
            versions.push([new UserMap(users, changes), naive(map, changes)]);
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
    new UserMap(before, [
      ["u1", null],
      ["new", VALUES[1]!],
    ]);
    expect([...iterator]).toEqual(["u1", "u2"]);
  });

  it("costs the size of each change, and an iteration compares and copies nothing", () => {
    // Ids count how often they are compared. The tree compares the id of each node that it visits or copies.
    let comparisons = 0;
    const counted = (text: string) =>
      ({
        [Symbol.toPrimitive]() {
          comparisons++;
          return text;
        },
      }) as unknown as string;
    const SIZE = 20;
    for (const count of [1_000, 20_000]) {
      // In order, which is the worst for a tree that chance does not balance.
      const ids = Array.from({ length: count }, (_, i) => counted(`u${String(i).padStart(6, "0")}`));
      const value = VALUES[0]!;
      let users = new UserMap(
        undefined,
        ids.map((id): UserChange => [id, value]),
      );
      expect(users.size).toBe(count);
      const diff = (make: (id: string) => UserChange) => {
        comparisons = 0;
        users = new UserMap(
          users,
          Array.from({ length: SIZE }, (_, k) => make(ids[(k * 7_919) % count]!)),
        );
        return comparisons;
      };
      // Two ids at each node on the way, which is gone twice: to look, and to change. A tree of random
      // priorities is at most about three times as deep as the best one.
      const most = SIZE * 2 * 2 * 3 * Math.log2(count);
      expect(
        diff((id) => [id, VALUES[1]!]),
        `change of ${count}`,
      ).toBeLessThan(most);
      expect(
        diff((id) => [id, null]),
        `end of ${count}`,
      ).toBeLessThan(most);
      expect(users.size).toBe(count - SIZE);
      expect(
        diff((id) => [id, value]),
        `start of ${count}`,
      ).toBeLessThan(most);
      comparisons = 0;
      expect([...users.keys()]).toHaveLength(count);
      expect(comparisons).toBe(0);
    }
  });

  it("holds no value but its own, however many versions came before, and whichever is kept", async () => {
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
    let users = crowd(0);
    const run = (diffs: number) => {
      for (let i = 0; i < diffs; i++) users = new UserMap(users, [[`u${i % COUNT}`, fresh()]]);
    };
    run(COUNT);
    const old = users;
    const copy = [...old];
    run(5_000);
    expect(await alive()).toBeLessThanOrEqual(2 * COUNT);
    run(5_000);
    expect(await alive()).toBeLessThanOrEqual(2 * COUNT);
    expect([...old]).toEqual(copy);
  });
});
