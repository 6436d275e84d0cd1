import { describe, expect, it } from "vitest";
import type { HttpRequest, HttpResponse } from "../../../src/server/http/exchange.ts";
import { type NodeRoutesOptions, nodeRoutes } from "../../../src/server/http/node-routes.ts";
import { bareNode } from "../../support/bare-node.ts";
import { jsonOf, requestOf, UNLIMITED } from "../../support/http-handler.ts";

const MIB = 1024 * 1024;

function node(options: Partial<NodeRoutesOptions> = {}) {
  const routes = nodeRoutes({
    node: bareNode(),
    anonymous: UNLIMITED,
    isProxy: () => false,
    isReady: () => true,
    renderMetrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "a_metric 1\n" }),
    metricsToken: undefined,
    version: "1.2.3",
    dashboard: [],
    isDevelopment: false,
    ...options,
  });
  return async (path: string, request: HttpRequest = requestOf()): Promise<HttpResponse> =>
    (await routes.find((route) => route.path === path)!.handler(request, {})) as HttpResponse;
}

it("is alive whatever its state", async () => {
  expect(jsonOf(await node({ isReady: () => false })("/healthz"))).toEqual({ status: "alive" });
});

describe("readiness", () => {
  it("is 503 while the node starts, and 200 then", async () => {
    const starting = await node({ isReady: () => false })("/readyz");
    expect(starting).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
    expect(jsonOf(starting)).toEqual({ status: "starting" });
    const ready = await node()("/readyz");
    expect([ready.status, jsonOf(ready)]).toEqual([200, { status: "ready" }]);
  });

  it("is 503 once the node drains", async () => {
    const gatewayNode = bareNode();
    const ask = node({ node: gatewayNode });
    await gatewayNode.drain(0);
    const response = await ask("/readyz");
    expect([response.status, jsonOf(response)]).toEqual([503, { status: "draining" }]);
  });

  it("stays 200 while memory is short, and says so", async () => {
    const gatewayNode = bareNode();
    gatewayNode.loadShedder.sample({
      resident: 990 * MIB,
      residentLimit: 1_000 * MIB,
      heap: MIB,
      heapLimit: 1_000 * MIB,
    });
    const response = await node({ node: gatewayNode })("/readyz");
    expect([response.status, jsonOf(response)]).toEqual([200, { status: "low_memory" }]);
  });
});

describe("metrics without a token", () => {
  const local = (host: string | undefined, fields: Partial<HttpRequest> = {}) =>
    requestOf({ address: () => "127.0.0.1", ...fields, headers: { host } });

  it.each(["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "[::ffff:127.0.0.1]"])(
    "are for a program on this machine that asks %s",
    async (host) => {
      const response = await node()("/metrics", local(host));
      expect(response).toMatchObject({ status: 200, body: "a_metric 1\n" });
      expect(response.headers["content-type"]).toBe("text/plain; version=0.0.4");
    },
  );

  it.each([
    undefined,
    "",
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "::1",
    "192.0.2.1",
    "[::2]",
    "localhost, localhost",
  ])("are not for a page whose name leads here: Host %j", async (host) => {
    expect(await node()("/metrics", local(host))).toMatchObject({
      status: 401,
      headers: { "www-authenticate": "Bearer" },
    });
  });

  it("are not for other machines, for proxies on this one, or for what a proxy has forwarded", async () => {
    expect((await node()("/metrics", local("localhost", { address: () => "192.0.2.1" }))).status).toBe(401);
    expect((await node()("/metrics", local("localhost", { isForwarded: true }))).status).toBe(401);
    const isProxy = (address: string) => address === "127.0.0.1";
    expect((await node({ isProxy })("/metrics", local("localhost"))).status).toBe(401);
  });

  it("has no metrics while the process that knows all of them does not answer", async () => {
    const ask = node({ renderMetrics: async () => undefined });
    const response = await ask("/metrics", local("localhost"));
    expect(response).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
    expect(jsonOf(response)).toMatchObject({ reasons: { node: ["the first process does not answer"] } });
  });
});

describe("metrics with a token", () => {
  const ask = node({ metricsToken: "token" });
  const withToken = (authorization: string | undefined, fields: Partial<HttpRequest> = {}) =>
    requestOf({ ...fields, headers: { authorization } });

  it("are for everyone who shows it, whose connection is trusted then", async () => {
    let authorized = 0;
    const response = await ask("/metrics", withToken("Bearer token", { authorized: () => authorized++ }));
    expect([response.status, authorized]).toEqual([200, 1]);
  });

  it.each([undefined, "Bearer", "Bearer other", "Bearer token2", "Basic token"])(
    "are for nobody else, not even on this machine: %j",
    async (authorization) => {
      const local = { address: () => "127.0.0.1", authorized: () => expect.fail("it was authorized") };
      expect((await ask("/metrics", withToken(authorization, local))).status).toBe(401);
    },
  );
});

it("leads from / to the dashboard in development mode, for now only, and has no / otherwise", async () => {
  expect(await node({ isDevelopment: true })("/")).toMatchObject({
    status: 302,
    headers: { location: "/dashboard/" },
  });
  await expect(node()("/")).rejects.toThrow(TypeError);
});

it("has its OpenAPI document, and leads to its dashboard", async () => {
  const ask = node();
  expect(jsonOf(await ask("/openapi.json")).info.version).toBe("1.2.3");
  expect(jsonOf(await ask("/asyncapi.json")).info.version).toBe("1.2.3");
  // The documents are shared in a process, but not between versions.
  const later = node({ version: "1.2.4" });
  expect(jsonOf(await later("/openapi.json")).info.version).toBe("1.2.4");
  expect(jsonOf(await later("/asyncapi.json")).info.version).toBe("1.2.4");
  expect(jsonOf(await ask("/openapi.json")).info.version).toBe("1.2.3");
  expect(await ask("/dashboard")).toMatchObject({ status: 308, headers: { location: "dashboard/" } });
});
