import { expect, it } from "vitest";
import { type HashKey, keyedHash } from "../../../src/core/collections/keyed-hash.ts";

const KEY: HashKey = Int32Array.of(1, 2);

it("depends on each unit of the text, on its length, and on both words of the key", () => {
  const texts = ["", "\0", "\0\0", "a", "b", "ab", "ba", "abc", "a\0c", "abcd", "ābcd", "👩", "\ud83d"];
  const hashes = texts.map((text) => keyedHash(text, KEY));
  expect(new Set(hashes).size).toBe(texts.length);
  expect(texts.map((text) => keyedHash(text, KEY))).toEqual(hashes);
  for (const key of [Int32Array.of(1, 3), Int32Array.of(-2, 2)])
    for (const [i, text] of texts.entries()) expect(keyedHash(text, key)).not.toBe(hashes[i]);
});

it("spreads ids that differ in a few digits over all slots", () => {
  const slots = new Map<number, number>();
  for (let i = 0; i < 16_384; i++) {
    const slot = keyedHash(`user-${i}`, KEY) & 1023;
    slots.set(slot, (slots.get(slot) ?? 0) + 1);
  }
  expect(slots.size).toBe(1_024);
  // 16 are expected, and chance gives more than 40 to one of 1,024 slots once in a thousand keys.
  expect(Math.max(...slots.values())).toBeLessThan(40);
});
