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
import { Table } from "../../src/core/sessions/table.ts";
import { decodeMessage, encodeDiff, joinEntries, readMessageId } from "../../src/protocol/codec.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { readHotMessage, readHotText } from "../../src/protocol/hot-messages.ts";
import { ClientMessage } from "../../src/protocol/messages.ts";
import { customBytes, idProblem } from "../../src/protocol/rules.ts";
import { cutPage, type EntryPage, PAGE_BYTES } from "../../src/server/gateway/pages.ts";
import { WORDS } from "../fuzz/samples.ts";
import { Random } from "../support/random.ts";
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

  it("takes the messages that are checked by hand exactly as the schema does", () => {
    const id = fc.constantFrom("c1", "é👩‍🚀", "__proto__", "x".repeat(255));
    const noId = ["x".repeat(256), "", "\ud800", "a\n"];
    const noNumber = [-0, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY, "1"];
    const odd = fc.constantFrom<unknown>(...noId, ...noNumber, "true", true, 0, null, [], {});
    const or = (arbitrary: fc.Arbitrary<unknown>) =>
      fc.oneof({ weight: 15, arbitrary }, { weight: 1, arbitrary: odd });
    const session = {
      sessionId: or(id),
      visible: or(fc.boolean()),
      selectedConversationId: or(id),
      hasFocus: or(fc.boolean()),
      isTyping: or(fc.boolean()),
      custom: or(fc.dictionary(id, or(fc.string({ maxLength: 530 })), { noNullPrototype: true })),
    };
    const kind = or(fc.constantFrom("widget", "background"));
    const token = or(fc.constantFrom("", "token", "x".repeat(8_192), "x".repeat(8_193)));
    const record = (type: string, fields: Record<string, fc.Arbitrary<unknown>>) =>
      fc.record(
        { type: fc.constant(type), id: or(fc.nat()), ...fields },
        { requiredKeys: ["type"], noNullPrototype: true },
      );
    const message = fc.oneof(
      record("update", session),
      record("open", { ...session, kind, userId: or(id) }),
      record("connect", { token }),
    );
    const seen = { taken: 0, left: 0 };
    fc.assert(
      fc.property(message, (each) => {
        const hot = readHotMessage(each);
        // Fields that are absent may be there as undefined.
        expect(hot).toEqual(ClientMessage.safeParse(each).data);
        seen[hot === undefined ? "left" : "taken"]++;
        // What it does not know it leaves alone, and the schema leaves out.
        expect(readHotMessage({ ...each, other: true })).toBeUndefined();
      }),
      { numRuns: runs(5_000) },
    );
    expect(Math.min(seen.taken, seen.left)).toBeGreaterThan(500);
    expect(readHotMessage(JSON.parse('{"type":"update","__proto__":{}}'))).toBeUndefined();
  });

  it("reads the commonest texts as they stand, as parsing would", () => {
    const id = "0123456789_-abcXYZ012";
    const texts = ["hasFocus", "isTyping", "visible"].flatMap((field) =>
      [true, false].map((value) => JSON.stringify({ type: "update", sessionId: id, [field]: value })),
    );
    for (const text of texts) expect(readHotText(text)).toEqual(ClientMessage.parse(JSON.parse(text)));
    const seen = { taken: 0, left: 0 };
    const piece = fc.constantFrom(
      "",
      '"',
      "\\",
      ",",
      "}",
      " ",
      "0",
      "u",
      "true",
      "é",
      "\n",
      '","id":1',
      "\ud800",
    );
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(90), fc.nat(3), piece, (text, at, cut, put) => {
        const near = text.slice(0, at) + put + text.slice(at + cut);
        const hot = readHotText(near);
        if (hot !== undefined) expect(hot).toEqual(ClientMessage.parse(JSON.parse(near)));
        seen[hot === undefined ? "left" : "taken"]++;
      }),
      { numRuns: 5_000 },
    );
    expect(Math.min(seen.taken, seen.left)).toBeGreaterThan(100);
  });

  it("is not hurt by depth, length or odd numbers", () => {
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

  it("looks at no more of a bad list than it tells of", () => {
    for (const [bad, length, most] of [
      [1, 1_000, 20],
      ["", 1_000, 20],
      ["", 100_000, 0],
    ] as const) {
      let looks = 0;
      const userIds = new Proxy(Array(length).fill(bad), {
        get(list, key, receiver) {
          if (typeof key === "string" && /^\d+$/.test(key)) looks++;
          return Reflect.get(list, key, receiver);
        },
      });
      const { error } = FilterSchema.safeParse({ userIds });
      expect(error!.issues.length).toBeLessThanOrEqual(10);
      expect(error!.issues[0]!.path[0]).toBe("userIds");
      expect(looks).toBeLessThanOrEqual(most);
    }
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
      const diff = JSON.parse(encodeDiff(view, 2, [member], new Map([[userId, "closed"]])));
      expect(diff.view).toBe(view);
      expect(Object.entries(diff.data)).toEqual([[userId, null]]);
      expect(Object.entries(diff.causes)).toEqual([[userId, "closed"]]);
    }),
  );
});

it("pages hold everything once, in order, none too large but for what is too large itself", () => {
  const member = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }) },
  );
  fc.assert(
    fc.property(fc.array(member, { maxLength: 30 }), (sizes) => {
      const members = sizes.map((size) => "é".repeat(size / 2));
      const pages: string[] = [];
      for (let from: number | undefined = 0; from !== undefined; ) {
        const page: EntryPage = cutPage(members, from);
        const text = joinEntries("", page.members, "");
        expect(Buffer.byteLength(text) <= PAGE_BYTES || !text.includes(",")).toBe(true);
        pages.push(text);
        from = page.next;
      }
      expect(pages.join(",")).toBe(members.join(","));
    }),
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

  it("are kept by the table for each session, and summed for each user", () => {
    const table = new Table();
    const random = new Random(5);
    for (let step = 0; step < 2_000; step++) {
      const id = `s${random.below(10)}`;
      const session = table.get(id);
      const custom = { [`k${random.below(5)}`]: random.oneIn(3) ? null : "€".repeat(random.below(50)) };
      if (session === undefined) {
        table.open(id, `u${random.below(3)}`, "widget", patchState(NEW_SESSION, { custom }), undefined);
      } else if (random.oneIn(4)) table.end(session, "closed");
      else table.update(session, patchState(session, { custom, hasFocus: random.oneIn(2) }));
      for (const userId of ["u0", "u1", "u2"]) {
        const user = table.user(userId);
        const sum = user?.sessions.reduce((total, each) => total + truth(each.custom), 0);
        assert.equal(user?.customBytes, sum);
      }
    }
  });
});

describe("the id of a message that is not done", () => {
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
