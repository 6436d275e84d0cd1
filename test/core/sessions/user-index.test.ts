import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HashKey, keyedHash } from "../../../src/core/collections/keyed-hash.ts";
import { type IdList, TextIds } from "../../../src/core/sessions/id-list.ts";
import { UserIndex, type UserLookUp } from "../../../src/core/sessions/user-index.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { asciiIds } from "../../support/ascii-ids.ts";
import { runs } from "../../support/seed.ts";

const KEY: HashKey = Int32Array.of(1, 2);

/** Two ids with one hash, for this key. */
function collidingIds(): readonly [string, string] {
  const byHash = new Map<number, string>();
  for (let i = 0; i < 1_000_000; i++) {
    const userId = `u${i}`;
    const hash = keyedHash(userId, KEY);
    const other = byHash.get(hash);
    if (other !== undefined) return [other, userId];
    byHash.set(hash, userId);
  }
  throw new Error("no two ids have one hash");
}

/** The same ids as strings, and as bytes. */
const listsOf = (ids: readonly string[]): readonly IdList[] => [new TextIds(ids), asciiIds(ids)];

const idsOf = ({ size, places }: UserLookUp, ids: readonly string[]) =>
  Array.from(places.subarray(0, size), (place) => ids[place]);

/** The users from `from` to before `to`, undefined for those who are not there. */
function foundBy(lookUp: UserLookUp<UserRow>, from: number, to: number): (UserRow | undefined)[] {
  const found = new Array<UserRow | undefined>(to - from).fill(undefined);
  const { users, indexes } = lookUp.find(from, to);
  for (const [i, user] of users.entries()) found[indexes[i]! - from] = user;
  return found;
}

describe("the index of users", () => {
  it("behaves like a map, after any calls", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 120 })), { maxLength: 400, size: "max" });
    fc.assert(
      fc.property(steps, (calls) => {
        const index = new UserIndex<UserRow>(KEY);
        const naive = new Map<string, UserRow>();
        for (const [adds, n] of calls) {
          const userId = n === 0 ? "" : `u${n}`;
          if (adds && !naive.has(userId)) {
            const user = new UserRow(userId);
            index.add(user);
            naive.set(userId, user);
          } else {
            index.delete(userId);
            naive.delete(userId);
          }
          expect(index.get(userId)).toBe(naive.get(userId));
        }
        expect(index.size).toBe(naive.size);
        // Each id twice, and some that never were.
        const ids = Array.from({ length: 260 }, (_, i) => (i % 130 === 0 ? "" : `u${i % 130}`));
        for (const userId of ids) expect(index.get(userId)).toBe(naive.get(userId));
        for (const list of listsOf(ids)) {
          const lookUp = index.lookUp(list);
          expect(idsOf(lookUp, ids)).toEqual([...new Set(ids)]);
          const found = [...foundBy(lookUp, 0, 50), ...foundBy(lookUp, 50, 130)];
          expect(found.map((user, i) => user === naive.get(ids[i]!))).not.toContain(false);
          for (const userId of [...ids, "x"])
            expect(lookUp.indexOf(userId) ?? -1).toBe([...new Set(ids)].indexOf(userId));
        }
      }),
      { numRuns: runs(150) },
    );
  });

  it("finds thousands, grows and shrinks", () => {
    const index = new UserIndex<UserRow>(KEY);
    const ids = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
    for (const userId of ids) index.add(new UserRow(userId));
    const all = () => foundBy(index.lookUp(new TextIds(ids)), 0, ids.length);
    expect(all().map((user) => user?.userId)).toEqual(ids);
    for (const part of [1, 3, 4, 999]) {
      for (const list of listsOf(["x", ...ids])) {
        const lookUp = index.lookUp(list);
        const found: (UserRow | undefined)[] = [];
        for (let from = 0; from < lookUp.size; from += part)
          found.push(...foundBy(lookUp, from, Math.min(from + part, lookUp.size)));
        expect(found.map((user) => user?.userId)).toEqual([undefined, ...ids]);
      }
    }
    for (const userId of ids.slice(10)) index.delete(userId);
    expect(all().filter((user) => user !== undefined)).toHaveLength(10);
    expect(index.size).toBe(10);
  });

  it("tells users with one hash apart", () => {
    const [one, other] = collidingIds();
    const index = new UserIndex<UserRow>(KEY);
    const find = () => {
      const [texts, ascii] = listsOf([other, one, other]).map((ids) => {
        const lookUp = index.lookUp(ids);
        expect(idsOf(lookUp, [other, one, other])).toEqual([other, one]);
        expect([other, one, "x"].map(lookUp.indexOf)).toEqual([0, 1, undefined]);
        return foundBy(lookUp, 0, 2).map((user) => user?.userId);
      });
      expect(texts).toEqual(ascii);
      return texts;
    };
    index.add(new UserRow(one));
    expect(find()).toEqual([undefined, one]);
    index.add(new UserRow(other));
    expect(find()).toEqual([other, one]);
    expect([index.get(one)?.userId, index.get(other)?.userId]).toEqual([one, other]);
    index.delete(one);
    expect(find()).toEqual([other, undefined]);
  });

  it("finds users as they are when they are read, not when the look-up began", () => {
    const index = new UserIndex<UserRow>(KEY);
    const lookUp = index.lookUp(new TextIds(["a", "b"]));
    for (let i = 0; i < 100; i++) index.add(new UserRow(`u${i}`));
    const b = new UserRow("b");
    index.add(b);
    expect(foundBy(lookUp, 0, 2)).toEqual([undefined, b]);
    expect(foundBy(lookUp, 1, 2)).toEqual([b]);
  });
});
