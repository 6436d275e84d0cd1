import { expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { FilterReader } from "../../../src/server/http/filter-reader.ts";

const reader = new FilterReader(new App({ id: "app", secrets: ["x"], indexedCustom: ["team"] }));

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

it("a filter on custom needs an index, ids or a conversation, and a back end may ask for invisible users", () => {
  const parse = (filter: object) => reader.ofBody(Buffer.from(JSON.stringify(filter)), undefined);
  const reasons = (filter: object) => {
    const parsed = parse(filter);
    return parsed.ok ? undefined : Object.keys(JSON.parse(String(parsed.response.body)).reasons);
  };
  expect(reasons({ custom: { mood: "x" } })).toEqual(["custom"]);
  expect(reasons({ custom: {} })).toEqual(["custom"]);
  for (const more of [
    { userIds: [] },
    { selectedConversationId: null },
    { custom: { mood: "x", team: "a" } },
  ])
    expect(reasons({ custom: { mood: "x" }, ...more })).toBe(undefined);
  expect(parse({ includeInvisible: true })).toMatchObject({ ok: true, filter: { showsInvisible: true } });
});
