import { describe, expect, it } from "vitest";
import { type HttpResponse, jsonResponse } from "../../../src/server/http/exchange.ts";
import { createRouter, type Params, type Route } from "../../../src/server/http/router.ts";
import { jsonOf, requestOf, UNLIMITED } from "../../support/http-handler.ts";

function route(method: Route["method"], path: string): Route {
  return { method, path, handler: (_request, params: Params) => jsonResponse(200, { method, path, params }) };
}

const handle = createRouter(
  [
    route("GET", "/"),
    route("GET", "/v1/:appId/users/:userId"),
    route("DELETE", "/v1/:appId/users/:userId"),
    route("POST", "/v1/:appId/presences"),
  ],
  UNLIMITED,
);
const ask = (method: string, path: string) => handle(requestOf({ method, path }), {}) as HttpResponse;

describe("a path", () => {
  it.each([
    ["/v1/app/users/alice", { appId: "app", userId: "alice" }],
    ["/v1/a%2Fb/users/%C3%A9", { appId: "a/b", userId: "é" }],
    ["/v1/__proto__/users/constructor", { appId: "__proto__", userId: "constructor" }],
  ])("%s has the parameters %j", (path, params) => {
    expect(jsonOf(ask("GET", path)).params).toEqual(params);
  });

  it.each(["/nothing", "/v1/app/users/alice/", "/V1/app/users/alice", "/v1/app/users/%zz", ""])(
    "that leads nowhere is 404: %j",
    (path) => {
      expect(ask("GET", path).status).toBe(404);
    },
  );
});

it("a whole URL leads where its path leads", () => {
  expect(jsonOf(ask("GET", "http://x/v1/app/users/alice")).params).toMatchObject({ userId: "alice" });
  expect(ask("GET", "http://x/nothing").status).toBe(404);
});

it("a path that is longer than any route is 404, and is not matched", () => {
  expect(ask("GET", `/v1/app/users/${"x".repeat(4_096)}`).status).toBe(200);
  expect(ask("GET", `/v1/app/users/${"x".repeat(20_000)}`).status).toBe(404);
});

describe("a method", () => {
  it("has its own handler", () => {
    expect(jsonOf(ask("DELETE", "/v1/app/users/alice")).method).toBe("DELETE");
    expect(jsonOf(ask("GET", "/v1/app/users/alice")).method).toBe("GET");
  });

  it("HEAD is a GET", () => {
    expect(jsonOf(ask("HEAD", "/")).method).toBe("GET");
  });

  it.each([
    ["POST", "/", "GET, HEAD"],
    ["PUT", "/v1/app/users/alice", "DELETE, GET, HEAD"],
    ["HEAD", "/v1/app/presences", "POST"],
    ["NONSENSE", "/v1/app/presences", "POST"],
  ])("%s that %s does not take is 405, with those that it takes", (method, path, allow) => {
    const response = ask(method, path);
    expect(response).toMatchObject({ status: 405, headers: { allow } });
    expect(jsonOf(response).reasons.method).toEqual([`use ${allow}`]);
  });
});
