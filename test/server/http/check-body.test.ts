import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AsciiIds } from "../../../src/core/sessions/ascii-ids.ts";
import { type CheckQuestion, readCheckBody } from "../../../src/server/http/check-body.ts";
import { readJsonBody } from "../../../src/server/http/json-body.ts";
import { Check } from "../../../src/server/http/request-bodies.ts";
import { runs } from "../../support/seed.ts";

const TYPE = "application/json";

function textsOf({ ids }: CheckQuestion): readonly string[] {
  if (!(ids instanceof AsciiIds)) return ids.texts;
  const text = Buffer.from(ids.bytes).toString("latin1");
  return Array.from({ length: ids.length }, (_, i) => text.slice(ids.starts[i], ids.ends[i]));
}

/** Reads a body, and holds that the result is that of the schema. Returns whether no string was made. */
function isReadAsBytes(body: string | Buffer): boolean {
  const bytes = Buffer.from(body as string);
  const read = readCheckBody(bytes, TYPE);
  const naive = readJsonBody(bytes, TYPE, Check, "filter");
  if (!read.ok) {
    expect(read).toEqual(naive);
    return false;
  }
  expect(naive).toEqual({
    ok: true,
    value: { userIds: textsOf(read.value), ...(read.value.filter && { filter: read.value.filter }) },
  });
  return read.value.ids instanceof AsciiIds;
}

describe("the body of a check", () => {
  it.each([
    '{"userIds":["alice"]}',
    '{"userIds":["alice","bob"],"filter":{}}',
    ' {\n"userIds" : [ "alice" ,\t"bob"\r] , "filter":{"hasFocus":true} } ',
    '{"filter":{"custom":{"team":["a","b"]}},"userIds":["alice","bob"]}',
    '{"filter":{"selectedConversationId":"\\"userIds\\":[\\"a\\"]"},"userIds":["alice"]}',
    `{"userIds":["${"x".repeat(255)}"]}`,
  ])("is read without a string for each id: %s", (body) => {
    expect(isReadAsBytes(body)).toBe(true);
  });

  it.each([
    // Other characters than ASCII, and escapes.
    '{"userIds":["al\u00edce"]}',
    '{"userIds":["al\\u00edce"]}',
    '{"userIds":["a\\"b"]}',
    '{"user\\u0049ds":["alice"]}',
    // The list that is found is not the one that counts.
    '{"userIds":1,"userIds":["alice"]}',
    '{"userIds":["alice"],"userIds":["bob"]}',
    '{"userIds":["alice"],"userIds":1}',
    '{"userIds":["alice"],"user\\u0049ds":2}',
    '{"filter":{"custom":{"userIds":["a"]}},"userIds":["alice"]}',
    '{"filter":{"custom":{"userIds":["a"]}},"userIds":1}',
    '{"filter":{"custom":{"userIds":["a"]}}}',
    '{"filter":{"selectedConversationId":"\\"userIds"},"userIds":["alice"]}',
    '["userIds":["alice"]]',
    '"userIds":["alice"]',
    // Not valid.
    "",
    "{}",
    '{"userIds"',
    '{"userIds":',
    '{"userIds":[',
    '{"userIds":[]}',
    '{"userIds":[""]}',
    '{"userIds":["alice",]}',
    '{"userIds":["alice"],}',
    '{"userIds":["alice"',
    '{"userIds":["alice"]',
    '{"userIds":["alice',
    '{"userIds":["alice"]}}',
    '{"userIds":["alice"].0}',
    '{"userIds":["alice"]e0,"filter":{}}',
    '{"userIds":["alice"]0}',
    '{"userIds":["alice"]"bob"}',
    '{"userIds":["alice" "bob"]}',
    '{"userIds":["alice",7]}',
    '{"userIds":["alice\u0007"]}',
    '{"userIds":["alice\u007f"]}',
    `{"userIds":["${"x".repeat(256)}"]}`,
    '{"userIds":["alice"],"users":1}',
    '{"userIds":["alice"],"filter":{"userIds":["bob"]}}',
    '{"userIds":["alice"],"filter":{"hasFocus":"yes"}}',
    '{"userIds":["alice"],"filter":null}',
    '{"userIds":["alice"],"__proto__":1}',
  ])("is read by the schema: %s", (body) => {
    expect(isReadAsBytes(body)).toBe(false);
  });

  it("has at most 10,000 ids", () => {
    const bodyOf = (ids: number) =>
      JSON.stringify({ userIds: Array.from({ length: ids }, (_, i) => `u${i}`) });
    expect(isReadAsBytes(bodyOf(10_000))).toBe(true);
    expect(isReadAsBytes(bodyOf(10_001))).toBe(false);
  });

  it("is read by the schema if much of it is not ids", () => {
    expect(isReadAsBytes(`{"userIds":["alice"]${" ".repeat(60_000)}}`)).toBe(true);
    expect(isReadAsBytes(`{"userIds":["alice"]${" ".repeat(70_000)}}`)).toBe(false);
  });

  it("must be UTF-8 beside the ids too", () => {
    const body = Buffer.from('{"userIds":["alice"],"filter":{"selectedConversationId":"\u00e9"}}', "latin1");
    expect(isReadAsBytes(body)).toBe(false);
  });

  it("must be said to be JSON", () => {
    const body = Buffer.from('{"userIds":["alice"]}');
    expect(readCheckBody(body, "text/plain")).toEqual(readJsonBody(body, "text/plain", Check, "filter"));
    expect(readCheckBody(body, undefined).ok).toBe(true);
  });

  it("is what the schema takes it for, with any change to it", () => {
    const bodies = [
      '{"userIds":["alice","bob"],"filter":{"hasFocus":true}}',
      '{"filter":{"custom":{"userIds":["a"]}}, "userIds": ["alice", "bob"] }',
    ];
    const pieces = [
      "",
      '"',
      ",",
      "[",
      "]",
      "{",
      "}",
      ":",
      " ",
      "\\",
      "1",
      ".0",
      "e0",
      '"userIds":["x"],',
      "é",
      "\0",
      "\n",
    ];
    const change = fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.constantFrom(...pieces));
    fc.assert(
      fc.property(fc.constantFrom(...bodies), fc.array(change, { maxLength: 2 }), (body, changes) => {
        let text = body;
        for (const [at, removed, piece] of changes) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + piece + text.slice(start + removed);
        }
        isReadAsBytes(text);
      }),
      { numRuns: runs(3_000) },
    );
  });
});
