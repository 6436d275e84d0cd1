import fc from "fast-check";
import { expect, it } from "vitest";
import { type HashKey, keyedHash, keyedHashOfAscii } from "../../../src/core/collections/keyed-hash.ts";
import { runs } from "../../support/seed.ts";

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

it("is the same for bytes of ASCII, wherever they stand", () => {
  const ascii = fc.string({ unit: "binary-ascii", maxLength: 300, size: "max" });
  fc.assert(
    fc.property(ascii, ascii, fc.integer(), fc.integer(), (text, before, one, other) => {
      const bytes = Buffer.from(`${before}${text}${before}`);
      const [start, end, key] = [before.length, before.length + text.length, Int32Array.of(one, other)];
      expect(keyedHashOfAscii(bytes, start, end, key)).toBe(keyedHash(text, key));
    }),
    { numRuns: runs(300) },
  );
});
