import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { BodySink } from "../../../src/server/gateway/body-sink.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import { appRoutes, NODE } from "../../support/app-routes.ts";
import { jsonOf } from "../../support/http-handler.ts";

const MIB = 1024 * 1024;

/** The routes of an app with two users. */
function api(env: Record<string, string> = {}) {
  const routes = appRoutes(env);
  const connection = { onSessionTaken: () => {} };
  routes.presence.transact(0, (sessions) => {
    sessions.open("alice", "widget", { selectedConversationId: "c1" }, connection);
    sessions.open("alice", "background", {}, connection);
    sessions.open("bob", "widget", { selectedConversationId: "c2", isTyping: true }, connection);
  });
  return routes;
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

describe("a count", () => {
  const countOf = async (body: string, { ask } = api()) =>
    jsonOf(await ask("POST", "/v1/app/presences/count", { body }));

  it("is the number of users in the result, now", async () => {
    expect(await countOf("")).toEqual({ data: { users: 2 } });
    expect(await countOf('{"selectedConversationId":"c1","includeBackgroundSessions":true}')).toEqual({
      data: { users: 1 },
    });
    expect((await api().ask("POST", "/v1/app/presences/count", { query: "userIds=bob" })).status).toBe(400);
  });

  it("of very many users takes several turns of the event loop", async () => {
    const routes = api();
    routes.presence.transact(0, (sessions) => {
      for (let i = 0; i < 10_000; i++) sessions.open(`user-${i}`, "widget", {}, { onSessionTaken: () => {} });
    });
    let turns = 0;
    let isOver = false;
    const tick = () => {
      turns++;
      if (!isOver) setImmediate(tick);
    };
    tick();
    expect(await countOf("{}", routes)).toEqual({ data: { users: 10_002 } });
    isOver = true;
    expect(turns).toBeGreaterThan(2);
  });
});

it("long counts of an app take turns, and a short one does not wait for them", async () => {
  const routes = api();
  const connection = { onSessionTaken: () => {} };
  routes.presence.transact(0, (sessions) => {
    for (let i = 0; i < 10_000; i++) sessions.open(`user-${i}`, "widget", {}, connection);
  });
  const count = (body: string) => routes.ask("POST", "/v1/app/presences/count", { body });
  const long = Array.from({ length: 20 }, () => count("{}"));
  let isDone = false;
  const all = Promise.all(long).then((answers) => {
    isDone = true;
    return answers;
  });
  expect(jsonOf(await count('{"selectedConversationId":"c1"}'))).toEqual({ data: { users: 1 } });
  // Three steps each, two in a turn.
  for (let turn = 0; turn < 25; turn++) await nextTurn();
  expect(isDone).toBe(false);
  for (const answer of await all) expect(jsonOf(answer)).toEqual({ data: { users: 10_002 } });
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
