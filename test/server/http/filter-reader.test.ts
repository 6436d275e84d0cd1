import { expect, it } from "vitest";
import { FilterReader } from "../../../src/server/http/filter-reader.ts";

const reader = new FilterReader();

/** The conversation of a body, or the status of its refusal. It is read twice, the second time cached. */
function read(body: Buffer | string, type?: string): unknown {
  const answers = [1, 2].map(() => {
    const parsed = reader.ofBody(Buffer.from(body as string), type);
    return parsed.ok ? parsed.filter.conversationId : parsed.response.status;
  });
  expect(answers[1]).toEqual(answers[0]);
  return answers[0];
}

const asks = (conversationId: string) => JSON.stringify({ selectedConversationId: conversationId });

it("a known body is one that is the same to the last byte", () => {
  for (const id of ["c1", "c2", "é", "Ã©", "\ufffd", "x".repeat(255)]) expect(read(asks(id))).toBe(id);
  // The bytes of "é" in Latin-1 are no UTF-8, and the replacement character that stands for such is known by
  // now.
  expect(read(Buffer.from(asks("é"), "latin1"))).toBe(400);
  expect(read(`${asks("c1")} `)).toBe("c1");
  expect(read(asks("c1").slice(0, -1))).toBe(400);
});

it("a known body is still refused under another type", () => {
  expect(read(asks("c1"), "application/json; charset=utf-8")).toBe("c1");
  expect(read(asks("c1"), "text/plain")).toBe(415);
  expect(read(asks("c1"), "application/json; charset=latin1")).toBe(415);
});
