import { expect, it } from "vitest";
import {
  FilterReader,
  filterOfQuery,
  misplacedFilter,
  type Parsed,
} from "../../../src/server/http/filter-reader.ts";

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
  const of = (query: string) => reasons(filterOfQuery(query));
  expect(of("")).toBe("none");
  expect(of("filter=%7B%7D&expandUser=1")).toBe("none");
  expect(of("userIds=bob")).toEqual({ userIds: [expect.stringContaining("filter")] });
  expect(of("filters={}")).toEqual({ filters: ["is not known here: did you mean filter?"] });
  expect(of("filter={}&filter={}")).toEqual({ filter: ["must be there once"] });
  expect(of("x=1&x=2&filter={}")).toEqual({ x: ["is not known here: there are filter"] });
  expect(of("__proto__=1")).not.toBe("none");
  const many = Array.from({ length: 1_000 }, (_, i) => `x${i}=`).join("&");
  expect(Object.keys(of(many))).toHaveLength(10);
});

it("a filter does not stand in the URL where the body is read", () => {
  expect(misplacedFilter("")).toBeUndefined();
  expect(misplacedFilter("trace=1")).toBeUndefined();
  for (const query of ["userIds=bob", "a=b&filter={}"]) expect(misplacedFilter(query)?.status).toBe(400);
});
