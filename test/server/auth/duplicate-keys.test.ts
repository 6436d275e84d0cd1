import fc from "fast-check";
import { expect, it } from "vitest";
import { hasDuplicateKeys } from "../../../src/server/auth/duplicate-keys.ts";

it.each([
  ["{}", false],
  ['{"a":1,"b":2}', false],
  ['{"a":1,"a":1}', true],
  ['{"a":1,"\\u0061":2}', true],
  ['{"\\u0061":1,"\\u0061":2}', true],
  ['{"\\ud83d\\ude00":1,"\u{1f600}":2}', true],
  ['{"a\\"":1,"a\\u0022":2}', true],
  ['{"a\\\\":1,"a":2}', false],
  ['{"a":{"a":{"a":1}}}', false],
  ['{"a":["a","a",{"a":"a"},{"a":"a"}],"b":"a"}', false],
  ['{"a":[],"b":{},"c":[{}],"a":0}', true],
  ['{"x":[1,[2,{"k":{},"m":[],"k":null}]]}', true],
  ['{"a":"\\"a\\":1,\\"a\\"","b":"{\\"b\\":1"}', false],
  ['{"__proto__":1,"__proto__":2}', true],
  ['{"__proto__":1,"constructor":2,"toString":3}', false],
  [' { "a" : 1 , "a" : 2 } ', true],
  ["[1,1]", false],
  ['"a"', false],
])("%s: %s", (json, expected) => {
  JSON.parse(json);
  expect(hasDuplicateKeys(json)).toBe(expected);
});

/** A JSON text with as many spellings as there are, and whether an object in it has a key twice. */
interface Written {
  readonly json: string;
  readonly isTwice: boolean;
}
const KEYS = ["a", "b", "ab", '"', "\\", "{", ",", "\u00e9", ""];
const spelled = fc.tuple(fc.constantFrom(...KEYS), fc.boolean()).map(([key, isEscaped]) => {
  const escaped = [...key].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return { key, json: isEscaped ? `"${escaped}"` : JSON.stringify(key) };
});
const { value } = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc
      .oneof(
        fc.constantFrom("0", "-1.5e3", "true", "null"),
        spelled.map(({ json }) => json),
      )
      .map((json) => ({ json, isTwice: false })),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => ({
      json: `[${items.map(({ json }) => json).join(", ")}]`,
      isTwice: items.some(({ isTwice }) => isTwice),
    })),
    fc.array(fc.tuple(spelled, tie("value")), { maxLength: 5 }).map((members) => ({
      json: `{${members.map(([key, { json }]) => `${key.json} :${json}`).join(",")}}`,
      isTwice:
        new Set(members.map(([{ key }]) => key)).size < members.length ||
        members.some(([, { isTwice }]) => isTwice),
    })),
  ),
}));

it("finds the keys that a text was built with, whatever their depth and spelling", () => {
  const seen = { twice: 0, once: 0 };
  fc.assert(
    fc.property(value, ({ json, isTwice }) => {
      JSON.parse(json);
      expect(hasDuplicateKeys(json)).toBe(isTwice);
      seen[isTwice ? "twice" : "once"]++;
    }),
    { numRuns: 3_000, seed: 14 },
  );
  expect(Math.min(seen.twice, seen.once)).toBeGreaterThan(200);
});
