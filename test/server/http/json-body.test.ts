import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseBody, parseJson, readJsonBody, wrongType } from "../../../src/server/http/json-body.ts";
import { jsonOf } from "../../support/http-handler.ts";

const BODY = Buffer.from("{}");

it("a type other than JSON is refused where there is a body", () => {
  for (const type of [
    "application/json",
    "application/json; charset=UTF-8",
    "application/vnd.x+json",
    undefined,
  ])
    expect(wrongType(BODY, type)).toBeUndefined();
  for (const type of ["text/plain", "application/jsonp", "application/json; charset=latin1", ""])
    expect(wrongType(BODY, type)?.status).toBe(415);
  expect(wrongType(Buffer.alloc(0), "text/plain")).toBeUndefined();
});

it("a body is JSON in UTF-8, and none is {}", () => {
  expect(parseBody(Buffer.alloc(0))).toEqual({ ok: true, value: {} });
  expect(parseBody(Buffer.from("[1]"))).toEqual({ ok: true, value: [1] });
  for (const body of [Buffer.from("{"), Buffer.from([0x22, 0xe9, 0x22])]) {
    const parsed = parseBody(body);
    expect(!parsed.ok && Object.keys(jsonOf(parsed.response).reasons)).toEqual(["body"]);
  }
  const parameter = parseJson("{", "filter");
  expect(!parameter.ok && Object.keys(jsonOf(parameter.response).reasons)).toEqual(["filter"]);
});

describe("a body that has not the form of its schema", () => {
  const inner = z.strictObject({ flag: z.boolean(), list: z.array(z.int()).optional() });
  const schema = z.strictObject({ name: z.string(), inner: inner.optional() });
  const reasons = (value: unknown) => {
    const read = readJsonBody(Buffer.from(JSON.stringify(value)), undefined, schema, "inner");
    return read.ok ? read.value : Object.keys(jsonOf(read.response).reasons);
  };

  it.each<[unknown, string[]]>([
    [{}, ["name"]],
    [{ name: 1, other: 1 }, ["name", "other"]],
    [[], ["body"]],
    [{ name: "x", inner: 1 }, ["inner"]],
    [{ name: "x", inner: { flag: 1 } }, ["inner.flag"]],
    [{ name: "x", inner: { flag: true, "a.b": 1 } }, ["inner.a.b"]],
    [{ name: "x", inner: { flag: true, list: [1, "2"] } }, ["inner.list"]],
  ])("%j is told by field", (value, fields) => expect(reasons(value)).toEqual(fields));

  it("but one that has it is read", () => {
    expect(reasons({ name: "x", inner: { flag: true } })).toEqual({ name: "x", inner: { flag: true } });
    expect(readJsonBody(BODY, "text/plain", schema)).toMatchObject({ ok: false, response: { status: 415 } });
  });
});
