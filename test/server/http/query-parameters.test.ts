import { expect, it } from "vitest";
import { readParameters, reasonsOf } from "../../../src/server/http/query-parameters.ts";

const read = (query: string) => {
  const result = readParameters(query, ["userId", "limit"], (name) => (name === "user" ? "hint" : undefined));
  return result.ok ? Object.fromEntries(result.parameters) : { reasons: result.reasons };
};

it("the parameters are decoded", () => {
  expect(read("")).toEqual({});
  expect(read("userId=..&limit=")).toEqual({ userId: "..", limit: "" });
  expect(read("userId=a%2Fb%20%C3%A9")).toEqual({ userId: "a/b é" });
});

it("another parameter, and one that is there twice, are errors", () => {
  expect(read("userid=a")).toEqual({ reasons: { userid: ["is not known here: did you mean userId?"] } });
  expect(read("user=a")).toEqual({ reasons: { user: ["hint"] } });
  expect(read("x=1&x=2")).toEqual({ reasons: { x: ["is not known here: there are userId, limit"] } });
  expect(read("userId=a&userId=b")).toEqual({ reasons: { userId: ["must be there once"] } });
  expect(read("expandUser=1&expandUser=2")).toEqual({ expandUser: "2" });
});

it("what is not UTF-8 is an error, and not another id", () => {
  expect(read("userId=%ff")).toEqual({ reasons: { userId: ["is not URL-encoded UTF-8"] } });
});

it("reasons stand by field, whatever its name is", () => {
  const issues = [
    { path: ["__proto__"], message: "a" },
    { path: ["ids", 3], message: "b" },
    { path: ["ids", 4], message: "c" },
    { path: [], message: "d" },
  ];
  expect(JSON.stringify(reasonsOf(issues, "body"))).toBe(
    '{"__proto__":["a"],"ids":["3: b","4: c"],"body":["d"]}',
  );
});
