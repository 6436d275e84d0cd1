import { describe, expect, it } from "vitest";
import { nodeRoutes } from "../../../src/server/http/node-routes.ts";
import { openApiDocument } from "../../../src/server/http/openapi.ts";
import { testRoutes } from "../../support/app-routes.ts";
import { bareNode } from "../../support/bare-node.ts";
import { UNLIMITED } from "../../support/http-handler.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { readonly pattern?: string };
  }[];
}
interface OpenApi {
  readonly info: { readonly version: string };
  readonly servers: unknown;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

const document = openApiDocument("1.2.3") as unknown as OpenApi;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** The value of every `$ref` in a value. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === "$ref" ? [item as string] : references(item),
  );
}

describe("the OpenAPI document", () => {
  it("has the version that it was given", () => {
    expect(document.info.version).toBe("1.2.3");
  });

  it("has an operation for each route, and no other", () => {
    const node = bareNode();
    const routes = [
      ...testRoutes({ node }),
      ...nodeRoutes({
        node,
        anonymous: UNLIMITED,
        isProxy: () => false,
        isReady: () => true,
        renderMetrics: () => expect.fail("nobody asks"),
        metricsToken: undefined,
        version: "1.2.3",
        dashboard: [],
        isDevelopment: false,
      }),
    ].map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    // The page is described where the redirection to it is: many tools take no path with a slash at its end.
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
      routes.filter((route) => route !== "GET /dashboard/").sort(),
    );
  });

  it("names each operation once, with the parameters of its path", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(inPath.map(({ name }) => name)).toEqual(names);
    }
  });

  it("says where it is served, and has no path with a slash at its end", () => {
    expect(document.servers).toEqual([{ url: "/", description: expect.any(String) }]);
    for (const path of Object.keys(document.paths)) expect(path).toMatch(/[^/]$/);
  });

  it("says what ids look like", () => {
    const ids = operations.flatMap(({ operation }) => operation.parameters ?? []);
    for (const { name, in: place, schema } of ids) {
      expect(schema.pattern).toBeTypeOf("string");
      if (place !== "path" || name === "key") continue;
      const pattern = new RegExp(schema.pattern!, "u");
      for (const id of ["alice", "a/b", "__proto__", "\u00e9", "a b"]) expect(pattern.test(id)).toBe(true);
      for (const text of ["", "a\nb", "\u0000", "\u009f"]) expect(pattern.test(text)).toBe(false);
    }
  });

  it("refers to schemas that it has, and has no schema that nothing refers to", () => {
    const named = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...new Set(references(document))].sort()).toEqual(named.sort());
  });
});
