import { describe, expect, it } from "vitest";
import type { BodySink } from "../../../src/server/gateway/body-sink.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import { BodyWanted, type HttpResponse } from "../../../src/server/http/exchange.ts";
import { presenceRoutes } from "../../../src/server/http/presence-api.ts";
import { createRouter } from "../../../src/server/http/router.ts";
import { bareNode } from "../../support/bare-node.ts";
import { jsonOf, requestOf, UNLIMITED } from "../../support/http-handler.ts";
import { testTelemetry } from "../../support/stubs.ts";

const SECRET = "a secret of the app, long enough to be one";
const MIB = 1024 * 1024;
const NODE = {
  nodeId: "node",
  version: "1.2.3",
  uptimeSeconds: 1,
  rssBytes: 1,
  heapUsedBytes: 1,
  eventLoopDelayMs: { p50: 0, p99: 0, max: 0 },
};

function api(env: Record<string, string> = {}) {
  const refusals: string[] = [];
  const telemetry = { ...testTelemetry(), refused: (refusal: string) => void refusals.push(refusal) };
  const node = bareNode({ apps: [{ id: "app", secrets: [SECRET] }], env, telemetry });
  const presence = node.presence("app")!;
  const connection = { onSessionTaken: () => {} };
  presence.transact(0, (sessions) => {
    sessions.open("alice", "widget", { selectedConversationId: "c1" }, connection);
    sessions.open("alice", "background", {}, connection);
    sessions.open("bob", "widget", { selectedConversationId: "c2", isTyping: true }, connection);
  });
  const handle = createRouter(
    presenceRoutes(node, UNLIMITED, () => NODE),
    UNLIMITED,
  );
  const ask = async (
    method: string,
    path: string,
    { body = "", secret = SECRET as string | undefined, query = "" } = {},
  ): Promise<HttpResponse> => {
    const bytes = Buffer.from(body);
    const authorization = secret && `Bearer ${secret}`;
    const request = requestOf({
      method,
      path,
      query,
      contentLength: bytes.length,
      headers: { authorization, "content-type": body === "" ? undefined : "application/json" },
    });
    const response = await handle(request, {});
    return response instanceof BodyWanted ? await response.handle(bytes) : response;
  };
  return { ask, node, refusals, presence };
}

describe("a query", () => {
  it("asks for everyone without a body, and for what its filter says with one", async () => {
    const { ask } = api();
    const all = await ask("POST", "/v1/app/presences");
    expect(Object.keys(jsonOf(all).data).sort()).toEqual(["alice", "bob"]);
    const some = await ask("POST", "/v1/app/presences", { body: '{"selectedConversationId":"c1"}' });
    expect(Object.keys(jsonOf(some).data)).toEqual(["alice"]);
  });

  it("says what is wrong with its filter", async () => {
    const response = await api().ask("POST", "/v1/app/presences", { body: '{"hasFocus":1}' });
    expect(response.status).toBe(400);
    expect(Object.keys(jsonOf(response).reasons)).toEqual(["hasFocus"]);
  });

  it("with a long body is refused while memory is short", async () => {
    const { ask, node, refusals } = api();
    const limits = { residentLimit: 1_000 * MIB, heap: MIB, heapLimit: 1_000 * MIB };
    node.loadShedder.sample({ resident: 990 * MIB, ...limits });
    const long = await ask("POST", "/v1/app/presences", { body: " ".repeat(20_000) });
    expect(long).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
    expect(refusals).toEqual(["memory"]);
    expect((await ask("POST", "/v1/app/presences", { body: "{}" })).status).toBe(200);
  });
});

describe("a user", () => {
  it("has a list of sessions, the background ones first", async () => {
    const { ask } = api();
    expect(jsonOf(await ask("GET", "/v1/app/users/alice/sessions"))).toEqual([
      { isTyping: false, currentConversationId: null },
      { isTyping: false, currentConversationId: "c1" },
    ]);
    expect(jsonOf(await ask("GET", "/v1/app/users/nobody/sessions"))).toEqual([]);
  });

  it("can be ended everywhere at once", async () => {
    const { ask, presence } = api();
    expect(jsonOf(await ask("DELETE", "/v1/app/users/alice/sessions"))).toEqual({ ended: 2 });
    expect(presence.table.user("alice")).toBeUndefined();
    expect(jsonOf(await ask("DELETE", "/v1/app/users/alice/sessions"))).toEqual({ ended: 0 });
  });

  it("has an id that is valid", async () => {
    const response = await api().ask("GET", `/v1/app/users/${"x".repeat(256)}/sessions`);
    expect(response.status).toBe(400);
    expect(Object.keys(jsonOf(response).reasons)).toEqual(["userId"]);
  });
});

it("counts and the node are told", async () => {
  const { ask } = api();
  expect(jsonOf(await ask("GET", "/v1/app/stats"))).toMatchObject({
    users: 2,
    sessions: 3,
    widgets: 2,
    backgroundSessions: 1,
    typing: 1,
    sockets: 0,
  });
  expect(jsonOf(await ask("GET", "/v1/app/node"))).toEqual(NODE);
});

describe("a request without rights", () => {
  it("gets 404 for an app that there is not, and 401 for wrong credentials", async () => {
    const { ask, refusals } = api();
    expect((await ask("GET", "/v1/other/stats")).status).toBe(404);
    const wrong = await ask("GET", "/v1/app/stats", { secret: "wrong" });
    expect(wrong).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    expect((await ask("GET", "/v1/app/stats", { secret: "" })).status).toBe(401);
    expect(refusals).toEqual(["unauthenticated", "unauthenticated"]);
  });

  it("gets 426 where only WebSockets are served", async () => {
    const { ask } = api();
    const response = await ask("GET", "/v1/app/realtime");
    expect(response).toMatchObject({ status: 426, headers: { upgrade: "websocket" } });
    expect((await ask("GET", "/v1/other/realtime")).status).toBe(404);
  });
});

it("an app over its rate gets 429, and is told when to come back", async () => {
  const { ask, refusals } = api({ HTTP_REQUESTS_PER_SECOND: "1" });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await ask("GET", "/v1/app/stats")).status);
  expect(statuses).toEqual([200, 200, 429]);
  expect((await ask("GET", "/v1/app/stats")).headers["retry-after"]).toBe("1");
  expect(refusals).toEqual(["http_rate", "http_rate"]);
});

describe("a stream", () => {
  function sinkOf(sent: string[]): BodySink {
    const send = (frame: Frame) => {
      sent.push(frame.text);
      return true;
    };
    return { buffered: 0, progress: 0, send, end: () => {}, terminate: () => {} };
  }

  it("begins with the result of its filter", async () => {
    const { ask, presence } = api();
    const query = `filter=${encodeURIComponent('{"selectedConversationId":"c2"}')}`;
    const { status, headers, body } = await ask("GET", "/v1/app/presences/stream", { query });
    expect([status, headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
    const sent: string[] = [];
    const listener = (body as (sink: BodySink) => { onClose(): void })(sinkOf(sent));
    expect(sent.join("")).toContain('"bob"');
    expect(sent.join("")).not.toContain('"alice"');
    expect(presence.subscriptions).toBe(1);
    listener.onClose();
    expect(presence.subscriptions).toBe(0);
  });

  it("is not begun by HEAD or with a filter that is not valid", async () => {
    const { ask, node } = api();
    expect(await ask("HEAD", "/v1/app/presences/stream")).toMatchObject({ status: 200, body: "" });
    expect((await ask("GET", "/v1/app/presences/stream", { query: "filter=%7B" })).status).toBe(400);
    expect(node.admissions.connections).toBe(0);
  });
});
