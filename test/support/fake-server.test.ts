import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { mintToken } from "../../src/server/auth/mint.ts";
import { ownPort } from "../programs/own-port.ts";
import { TestClient } from "./client.ts";
import { FakeServer } from "./fake-server.ts";
import { until } from "./until.ts";

let server: FakeServer;
let client: TestClient;
const realtime = () => `ws://127.0.0.1:${server.port}/v1/test-app/realtime`;

beforeEach(async () => {
  server = await FakeServer.start({}, { port: await ownPort() });
  client = await TestClient.open(realtime(), { protocols: ["presence.v1"] });
});
afterEach(async () => {
  client.terminate();
  await server.stop();
});

it("behaves like a gateway by default", async () => {
  expect(client.socket.protocol).toBe("presence.v1");
  const token = await mintToken("test-app", "a secret that nobody checks here", {
    tokenType: "user",
    sub: "bob",
  });
  expect(await client.ask({ type: "connect", token })).toMatchObject({ type: "connected", userId: "bob" });
  const sessionId = await client.open({ selectedConversationId: "c1" });
  expect(await client.ask({ type: "update", hasFocus: true })).toMatchObject({ type: "ok" });
  expect(server.sessions.get(sessionId)?.fields).toEqual({ selectedConversationId: "c1", hasFocus: true });

  const filter = { userIds: ["bob"] };
  const { view } = await client.subscribe(filter);
  server.push(filter, { bob: { status: "online" } });
  server.push(filter, { bob: null }, { bob: "closed" });
  await until(() => client.views.get(view)?.version === 3);
  expect(await client.ask({ type: "query", filter })).toMatchObject({ type: "result", data: {} });
  expect(await client.ask({ type: "unsubscribe", view })).toMatchObject({ type: "ok" });
  expect(await client.ask({ type: "unsubscribe", view })).toMatchObject({ code: "NOT_FOUND" });
  const another = await TestClient.open(realtime());
  const answer = await another.subscribe(filter, { view, version: 2 });
  expect(answer).toMatchObject({ type: "resumed", view, version: 2 });
  expect(await another.next("diff")).toMatchObject({ version: 3, data: { bob: null } });
  expect(await another.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
  expect(await client.next("closed")).toEqual({ type: "closed", sessionId, cause: "replaced" });
  expect(await another.ask({ type: "close" })).toMatchObject({ type: "closed", cause: "closed" });
  expect(await another.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  another.socket.close(1000);
  await until(() => server.connections[1]!.closeCode === 1000);
  expect(server.connections[1]!.messages("open")).toEqual([await server.message("open", 1)]);
  expect(server.received.map(({ at }) => at)).toEqual(
    server.received.map(({ at }) => at).sort((a, b) => a - b),
  );
});

it("runs the test's handler for one type of message", async () => {
  server.on("ping", (_, connection) => connection.send('{"type":"pong"'));
  server.on("query", (_, connection) => connection.sendBinary(Buffer.from([1, 2])));
  server.on("subscribe", async (message, connection) => {
    await connection.behave(message);
    connection.close(4401, "no");
  });
  const frames: unknown[] = [];
  client.socket.removeAllListeners("message");
  client.socket.on("message", (data, isBinary) => frames.push(isBinary ? data : String(data)));
  client.send({ type: "ping" });
  client.send({ type: "query", id: 1, filter: {} });
  client.send({ type: "subscribe", id: 2, filter: {} });
  expect(await client.closed).toEqual({ code: 4401, reason: "no" });
  expect(frames).toEqual(['{"type":"pong"', Buffer.from([1, 2]), expect.stringContaining("snapshot")]);
});

it("can become silent", async () => {
  const connection = await server.connection(0);
  connection.goSilent();
  client.send({ type: "ping", id: 1 });
  client.socket.ping();
  client.socket.close(1000);
  await server.message("ping");
  await sleep(100);
  expect(client.inbox).toEqual([]);
  expect(connection.isOpen).toBe(true);
  expect(client.socket.readyState).toBe(WebSocket.CLOSING);
});

it("refuses upgrades", async () => {
  server.refusal = { status: 503, headers: { "Retry-After": "3" } };
  const refused = new WebSocket(realtime());
  refused.on("error", () => {});
  const [, response] = await once(refused, "unexpected-response");
  expect([response.statusCode, response.headers["retry-after"]]).toEqual([503, "3"]);
  server.refusal = "hang";
  const hanging = new WebSocket(realtime());
  hanging.on("error", () => {});
  await until(() => server.attempts.length === 3);
  expect(server.connections).toHaveLength(1);
  refused.terminate();
  hanging.terminate();
});

it("reports a handler that failed, and can start on the port of an earlier server", async () => {
  const { port } = server;
  server.on("ping", () => {
    throw new Error("the test's mistake");
  });
  client.send({ type: "ping" });
  await server.message("ping");
  await expect(server.stop()).rejects.toThrow("the test's mistake");
  expect((await client.closed).code).toBe(1006);
  server = await FakeServer.start({ "*": (_, connection) => connection.drop() }, { port });
  client = await TestClient.open(realtime());
  client.send({ type: "anything" });
  expect((await client.closed).code).toBe(1006);
});
