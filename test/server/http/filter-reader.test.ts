import { expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import {
  FilterReader,
  filterOfQuery,
  misplacedFilter,
  type Parsed,
} from "../../../src/server/http/filter-reader.ts";

const app = new App({ id: "app", secrets: ["x"], indexedCustom: ["team"] });
const reader = new FilterReader(app);

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

const reasons = (parsed: Parsed) => (parsed.ok ? "none" : JSON.parse(parsed.response.body as string).reasons);

it("an unknown field is named, with the one that was probably meant", () => {
  const of = (body: string) => reasons(reader.ofBody(Buffer.from(body), undefined));
  expect(of('{"userId":["bob"]}')).toEqual({ userId: ["is not known here: did you mean userIds?"] });
  expect(Object.keys(of('{"user.ids":["bob"]}'))).toEqual(["user.ids"]);
  expect(Object.keys(of('{"__proto__":1}'))).toEqual(["__proto__"]);
  expect(of('{"expandUser":true}')).toBe("none");
  expect(of("[]")).toHaveProperty("body");
});

it("a stream takes its filter as one parameter, and no other", () => {
  const of = (query: string) => reasons(filterOfQuery(app, query));
  expect(of("")).toBe("none");
  expect(of("filter=%7B%7D&expandUser=1")).toBe("none");
  expect(of("userIds=bob")).toEqual({ userIds: [expect.stringContaining("filter")] });
  expect(of("filters={}")).toEqual({ filters: ["is not known here: did you mean filter?"] });
  expect(of("filter={}&filter={}")).toEqual({ filter: ["must be there once"] });
  expect(of("x=1&x=2&filter={}")).toEqual({ x: ["is not known here: there are filter, count"] });
  expect(of("count=true&filter={}")).toBe("none");
  expect(of("count=false")).toBe("none");
  for (const count of ["", "1", "TRUE", "yes"])
    expect(of(`count=${count}`)).toEqual({ count: ["must be true or false"] });
  expect(of("count=true&count=true")).toEqual({ count: ["must be there once"] });
  expect(of("__proto__=1")).not.toBe("none");
  const many = Array.from({ length: 1_000 }, (_, i) => `x${i}=`).join("&");
  expect(Object.keys(of(many))).toHaveLength(10);
});

it("a filter does not stand in the URL where the body is read", () => {
  expect(misplacedFilter("")).toBeUndefined();
  expect(misplacedFilter("trace=1")).toBeUndefined();
  for (const query of ["userIds=bob", "a=b&filter={}"]) expect(misplacedFilter(query)?.status).toBe(400);
});

it("a filter on custom needs an index, ids or a conversation, and a back end may ask for invisible users", () => {
  const parse = (filter: object) => reader.ofBody(Buffer.from(JSON.stringify(filter)), undefined);
  const fields = (filter: object) => Object.keys(reasons(parse(filter)));
  expect(fields({ custom: { mood: "x" } })).toEqual(["custom"]);
  expect(fields({ custom: {} })).toEqual(["custom"]);
  for (const more of [
    { userIds: [] },
    { selectedConversationId: null },
    { custom: { mood: "x", team: "a" } },
  ])
    expect(reasons(parse({ custom: { mood: "x" }, ...more }))).toBe("none");
  expect(parse({ includeInvisible: true })).toMatchObject({ ok: true, filter: { showsInvisible: true } });
});

it("a count is a filter of its own", () => {
  const countReader = new FilterReader(app, true);
  const body = Buffer.from("{}");
  expect(countReader.ofBody(body, undefined)).toMatchObject({ ok: true, filter: { isCount: true } });
  expect(reader.ofBody(body, undefined)).toMatchObject({ ok: true, filter: { isCount: false } });
  expect(filterOfQuery(app, "count=true")).toMatchObject({ ok: true, filter: { isCount: true } });
});
