import { describe, expect, it } from "vitest";
import { readBody, withApp, withParameters, withUser } from "../../../src/server/http/app-request.ts";
import { BodyWanted, jsonResponse } from "../../../src/server/http/exchange.ts";
import { bareNode } from "../../support/bare-node.ts";
import { jsonOf, requestOf, UNLIMITED } from "../../support/http-handler.ts";

const SECRET = "a secret of the app, long enough to be one";
const node = bareNode({ apps: [{ id: "app", secrets: [SECRET] }], env: { HTTP_REQUESTS_PER_SECOND: "1" } });
const authorization = `Bearer ${SECRET}`;
const request = (params: Record<string, string>, query = "") => ({
  http: requestOf({ query }),
  params,
  presence: node.presence("app")!,
  credentials: { principal: { kind: "app", exp: undefined }, signer: { fingerprint: "x" } } as const,
  now: 0,
});

it("only what has the rights, and comes at the allowed rate, is handled", () => {
  const handle = withApp(node, UNLIMITED, () => jsonResponse(200, "handled"));
  const ask = (appId: string, headers = {}, isCounted = false) => {
    const handled = handle(requestOf({ headers, isCounted }), { appId });
    return "status" in handled ? handled.status : handled;
  };
  expect(ask("other", { authorization })).toBe(404);
  expect(ask("app")).toBe(401);
  expect(ask("app", { authorization: "Bearer x" })).toBe(401);
  expect([1, 2, 3].map(() => ask("app", { authorization }))).toEqual([200, 200, 429]);
  // The first request of a batch is counted with the batch.
  expect(ask("app", { authorization }, true)).toBe(200);
  expect(ask("app", { authorization: "" }, true)).toBe(401);
});

describe("a user", () => {
  const told = (params: Record<string, string>, query?: string) =>
    jsonOf(withUser(request(params, query), (userId) => jsonResponse(200, { userId })));

  it("is named in the path or in the query", () => {
    expect(told({ userId: "alice" })).toEqual({ userId: "alice" });
    expect(told({}, "userId=..")).toEqual({ userId: ".." });
    expect(told({ userId: "alice" }, "userId=bob")).toEqual({ userId: "alice" });
  });

  it("must have an id", () => {
    for (const bad of [told({ userId: "" }), told({}), told({}, "userId="), told({}, "userId=%0A")])
      expect(Object.keys(bad.reasons)).toEqual(["userId"]);
    expect(Object.keys(told({}, "userId=a&userId=b").reasons)).toEqual(["userId"]);
    expect(Object.keys(told({}, "userId=a&key=k").reasons)).toEqual(["key"]);
  });

  it("may come with more parameters", () => {
    const more = (params: Record<string, string>, query?: string) =>
      jsonOf(
        withParameters(request(params, query), ["key"], (userId, { key }) =>
          jsonResponse(200, { userId, key }),
        ),
      );
    expect(more({ userId: "alice", key: "k" })).toEqual({ userId: "alice", key: "k" });
    expect(more({}, "userId=alice&key=k")).toEqual({ userId: "alice", key: "k" });
    expect(more({}, "userId=alice")).toEqual({ userId: "alice" });
  });
});

it("a body that is coded is refused before it is read", () => {
  const read = (coding?: string) =>
    readBody(node, { ...request({}), http: requestOf({ headers: { "content-encoding": coding } }) }, () =>
      jsonResponse(200, {}),
    );
  expect(read("gzip")).toMatchObject({ status: 415 });
  for (const coding of [undefined, "", "identity", " Identity "])
    expect(read(coding)).toBeInstanceOf(BodyWanted);
});
