import { expect, it } from "vitest";
import { USER_PATHS } from "../../../src/server/http/openapi-users.ts";

type Operations = Record<string, { operationId: string; parameters: { name: string; in: string }[] }>;

const paths = Object.entries(USER_PATHS) as unknown as [string, Operations][];
const operationsOf = (path: string) =>
  Object.keys(USER_PATHS[path] as object).map((method) => `${method} ${path}`);

it("each operation on a user takes the id in the path or in the query", () => {
  for (const [path, operations] of paths) {
    const place = path.includes("{userId}") ? "path" : "query";
    for (const { operationId, parameters } of Object.values(operations)) {
      expect(parameters, operationId).toContainEqual(expect.objectContaining({ name: "userId", in: place }));
    }
  }
});

it("what can be done by the path can be done by the query, too", () => {
  const methods = (path: string) => operationsOf(path).map((operation) => operation.split(" ")[0]);
  for (const rest of ["", "/sessions", "/status"]) {
    const byQuery = methods(`/v1/{appId}/users${rest}`);
    for (const method of methods(`/v1/{appId}/users/{userId}${rest}`)) expect(byQuery).toContain(method);
  }
  expect(methods("/v1/{appId}/users/{userId}/sessions/{key}")).toEqual(["put", "delete"]);
  expect(methods("/v1/{appId}/users/sessions")).toContain("put");
});

it("no two operations have the same id", () => {
  const ids = paths.flatMap(([, operations]) =>
    Object.values(operations).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});
