import fc from "fast-check";
import { expect, it } from "vitest";
import { TextIds } from "../../../src/core/sessions/id-list.ts";
import { asciiIds } from "../../support/ascii-ids.ts";
import { runs } from "../../support/seed.ts";

const KEY = Int32Array.of(1, 2);

it("is like a list of strings", () => {
  // Few characters, so that many ids are equal, or begin alike.
  const id = fc.string({ unit: fc.constantFrom("a", "b", "\x7f", "\0"), maxLength: 3 });
  fc.assert(
    fc.property(fc.array(id, { maxLength: 12 }), (texts) => {
      const [ids, naive] = [asciiIds(texts), new TextIds(texts)];
      expect(ids.length).toBe(naive.length);
      for (const [i] of texts.entries()) {
        expect(ids.lengthOf(i)).toBe(naive.lengthOf(i));
        expect(ids.hash(i, KEY)).toBe(naive.hash(i, KEY));
        for (const [j, other] of [...texts, "é", "ab\u0161"].entries()) {
          expect(ids.is(i, other)).toBe(naive.is(i, other));
          if (j < texts.length) expect(ids.areSame(i, j)).toBe(naive.areSame(i, j));
        }
      }
    }),
    { numRuns: runs(300) },
  );
});
