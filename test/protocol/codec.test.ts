import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeCauses, encodeDiff, readMessageId } from "../../src/protocol/codec.ts";
import { WORDS } from "../fuzz/samples.ts";
import { runs } from "../support/seed.ts";

describe("decoding", () => {
  const known = fc.constantFrom(...WORDS, "__proto__");
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom("open", "update", "subscribe", "widget", "", "\ud800", 0, -1, 1e308, true, null),
  );
  const messageLike = fc.dictionary(known, value, { maxKeys: 8 });

  it("never throws, whatever the text", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      messageLike.map((message) => JSON.stringify(message)),
    );
    fc.assert(
      fc.property(text, (each) => ["message", "bad", "not-json"].includes(decodeMessage(each).kind)),
      {
        numRuns: runs(20_000),
      },
    );
  });

  it("withstands depth, length and odd numbers", () => {
    expect(decodeMessage("[".repeat(200_000)).kind).toBe("not-json");
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    expect(decodeMessage(`{"type":"ping","x":${deep}}`).kind).toBe("message");
    expect(decodeMessage(`{"type":"query","id":1,"filter":${deep}}`).kind).toBe("bad");
    expect(decodeMessage('{"type":"ping","id":1e400}').kind).toBe("bad");
    expect(decodeMessage('{"type":"ping","id":-0}').kind).toBe("message");
    const ids = JSON.stringify({ type: "query", id: 1, filter: { userIds: Array(20_000).fill("") } });
    const decoded = decodeMessage(ids);
    expect(decoded.kind === "bad" && decoded.issues.length).toBeLessThanOrEqual(10);
  });

  it("does not touch prototypes", () => {
    decodeMessage('{"type":"update","custom":{"__proto__":"x"},"__proto__":{"polluted":1}}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

it("a diff is JSON for any ids", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (userId, view) => {
      const member = `${JSON.stringify(userId)}:null`;
      const diff = JSON.parse(encodeDiff(view, 2, [member], encodeCauses(new Map([[userId, "closed"]]))));
      expect(diff.view).toBe(view);
      expect(Object.entries(diff.data)).toEqual([[userId, null]]);
      expect(Object.entries(diff.causes)).toEqual([[userId, "closed"]]);
    }),
  );
});

describe("the id of a message that is refused", () => {
  const long = "x".repeat(200_000);

  it.each([
    [{ type: "query", id: 7, filter: { userIds: [long] } }, 7],
    [{ id: 7, type: "query", filter: { userIds: [long] } }, 7],
    [{ type: "query", filter: { userIds: [long] }, id: 7 }, 7],
    [{ type: "query", filter: { userIds: [long], id: 7 } }, undefined],
    [{ type: "query", id: -7, filter: long }, undefined],
    [{ type: "query", id: 2 ** 53, filter: long }, undefined],
    [{ filter: `${long},"id":7}` }, undefined],
    [{ id: 0, pad: long }, 0],
  ])("is found at the ends of a long text", (message, id) => {
    expect(readMessageId(JSON.stringify(message))).toBe(id);
  });

  it("costs little, however long the text", () => {
    // Parsing it would take thousands of times as long, and it is no JSON.
    expect(readMessageId(`{"type":"query","id":7,${"[".repeat(4_000_000)}`)).toBe(7);
  });
});
