import { expect, it } from "vitest";
import { keyedHash } from "../../../src/core/collections/keyed-hash.ts";
import { TextIds } from "../../../src/core/sessions/id-list.ts";

const KEY = Int32Array.of(1, 2);

it("is a list of strings, whatever characters they have", () => {
  const texts = ["a", "👩", "a", "\u0000", ""];
  const ids = new TextIds(texts);
  expect(ids.length).toBe(5);
  for (const [i, text] of texts.entries()) {
    expect(ids.lengthOf(i)).toBe(text.length);
    expect(ids.hash(i, KEY)).toBe(keyedHash(text, KEY));
    for (const [j, other] of texts.entries()) {
      expect(ids.is(i, other)).toBe(text === other);
      expect(ids.areSame(i, j)).toBe(text === other);
    }
  }
});
