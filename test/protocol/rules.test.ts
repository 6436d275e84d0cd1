import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytesAfter,
  keysAfter,
  NEW_SESSION,
  patchState,
  type SessionState,
} from "../../src/core/sessions/session.ts";
import { customBytes, idProblem } from "../../src/protocol/rules.ts";
import { runs } from "../support/seed.ts";

describe("ids", () => {
  it.each([
    "a",
    "__proto__",
    "constructor",
    "toString",
    " ",
    "a/b:c*{d}%2f",
    "é",
    "e\u0301",
    "👩‍🚀",
    "\u202e",
    "\u2028",
    "x".repeat(255),
  ])("%j is one", (id) => expect(idProblem(id)).toBeUndefined());

  it.each(["", "x".repeat(256), "a\u0000", "\n", "a\u007f", "\u0085", "\ud800", "a\udc00b", "\udc00\ud800"])(
    "%j is none",
    (id) => expect(idProblem(id)).toBeTypeOf("string"),
  );
});

describe("the bytes of custom fields", () => {
  const key = fc.constantFrom("page", "__proto__", "mood", "7", 'a"\\\n', "é", "€", "👩‍🚀", "\ud800");
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      "",
      "\u0000\u0001\b\t\n\v\f\r\u001f",
      '"\\',
      "\u007f\u0080\u07ff\u0800\uffff",
      "\udc00\ud800",
    ),
  );
  const truth = (custom: object) => Buffer.byteLength(JSON.stringify(custom));

  it("are those of their JSON in UTF-8, after any patches", () => {
    const patch = fc.option(fc.dictionary(key, fc.option(text), { noNullPrototype: true }));
    fc.assert(
      fc.property(fc.array(patch, { maxLength: 8 }), (patches) => {
        let state: SessionState = NEW_SESSION;
        for (const custom of patches) {
          const keys = keysAfter(state, { custom });
          const bytes = bytesAfter(state, { custom });
          state = patchState(state, { custom });
          assert.deepEqual(
            [bytes, state.customBytes, customBytes(state.custom), keys],
            [truth(state.custom), truth(state.custom), truth(state.custom), Object.keys(state.custom).length],
          );
        }
      }),
      { numRuns: runs(5_000) },
    );
  });
});
