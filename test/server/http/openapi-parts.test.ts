import { expect, it } from "vitest";
import { errors, ok, parameter } from "../../../src/server/http/openapi-parts.ts";

it("an answer refers to its schema", () => {
  expect(ok("Stats", "The counts.")).toEqual({
    200: {
      description: "The counts.",
      content: { "application/json": { schema: { $ref: "#/components/schemas/Stats" } } },
    },
  });
});

it("errors have a body, and say when to come back where that helps", () => {
  const made = errors(404, 429, 503) as Record<string, { description: string; headers?: object }>;
  expect(Object.keys(made)).toEqual(["404", "429", "503"]);
  expect(Object.values(made).map(({ headers }) => Object.keys(headers ?? {}))).toEqual([
    [],
    ["Retry-After"],
    ["Retry-After"],
  ]);
  for (const { description } of Object.values(made)) expect(description).toMatch(/\.$/);
});

it("what is in the path is required, and is an id unless it says otherwise", () => {
  const inPath = parameter("appId", "path", "The app.");
  expect(inPath).toMatchObject({ required: true, schema: { type: "string", maxLength: expect.any(Number) } });
  const inQuery = parameter("key", "query", "A key.", { pattern: "^x" });
  expect(inQuery).toMatchObject({ required: false, schema: { type: "string", pattern: "^x" } });
  expect(inQuery.schema).not.toHaveProperty("maxLength");
});
