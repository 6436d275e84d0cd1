import fc from "fast-check";
import { expect, it } from "vitest";
import { readHotMessage, readHotText } from "../../src/protocol/hot-messages.ts";
import { ClientMessage } from "../../src/protocol/messages.ts";
import { runs } from "../support/seed.ts";

it("accepts the messages that are checked by hand exactly as the schema does", () => {
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
  expect(Math.min(seen.taken, seen.left)).toBeGreaterThan(runs(5_000) / 5);
  expect(readHotMessage(JSON.parse('{"type":"update","__proto__":{}}'))).toBeUndefined();
});

it("reads the most frequent texts without parsing, with the same result", () => {
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
