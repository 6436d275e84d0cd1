import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { WebhookMessage } from "../../../src/cli/webhook/webhook-message.ts";
import { WebhookReceiver } from "../../../src/cli/webhook/webhook-receiver.ts";
import { makeWebhookSecret } from "../../../src/server/auth/webhook-secret.ts";
import { presentIn, WebhookSender } from "../../support/webhook-sender.ts";

const secret = makeWebhookSecret();
let receiver: WebhookReceiver;
let sender: WebhookSender;
let lines: string[];
let messages: WebhookMessage[];

async function start(resync = false): Promise<void> {
  lines = [];
  messages = [];
  receiver = new WebhookReceiver({
    secret,
    resync,
    say: (line) => lines.push(line),
    onMessage: (message) => messages.push(message),
  });
  receiver.server.listen(0, "127.0.0.1");
  await once(receiver.server, "listening");
  sender = new WebhookSender(`http://127.0.0.1:${port()}/anything`, secret);
}
const port = () => (receiver.server.address() as AddressInfo).port;

afterEach(async () => {
  receiver.server.close();
  receiver.server.closeAllConnections();
  await once(receiver.server, "close");
});

test("says what comes, and answers 204", async () => {
  await start();
  expect(await sender.exchange()).toEqual({ status: 204, text: "" });
  sender.set("alice", presentIn("c1"));
  await sender.exchange();
  sender.set("alice", null);
  await sender.exchange();
  expect(lines).toEqual(["copy: a snapshot, 0 users", "copy: alice entered: c1", "copy: alice left: closed"]);
  expect(messages.map(({ type }) => type)).toEqual(["presence.snapshot", "presence.diff", "presence.diff"]);
});

test("asks for a snapshot when a message does not fit", async () => {
  await start();
  expect(await sender.send(diffBody())).toEqual({ status: 200, text: '{"resync":true}' });
  expect(await sender.exchange()).toMatchObject({ status: 204 });
  expect(lines).toEqual([
    "copy: a diff came before any snapshot: asking for a snapshot",
    "copy: a snapshot, 0 users",
  ]);
});

test("asks once in any case with resync, and keeps the message", async () => {
  await start(true);
  expect(await sender.exchange()).toEqual({ status: 200, text: '{"resync":true}' });
  expect(await sender.exchange()).toEqual({ status: 204, text: "" });
  expect(lines).toEqual([
    "copy: a snapshot, 0 users",
    "copy: asking for a snapshot, because of --resync",
    "copy: a snapshot, 0 users",
  ]);
});

test("a repetition is taken once", async () => {
  await start();
  await sender.exchange("sent twice");
  expect(lines).toEqual(["copy: a snapshot, 0 users", "copy: a message came again, nothing to do"]);
});

test("keeps a copy for each webhook", async () => {
  await start();
  await sender.exchange();
  const other = {
    type: "presence.snapshot",
    data: { ...position, webhookId: "other", users: {}, page: 1, more: false },
  };
  expect(await sender.send(JSON.stringify(other))).toMatchObject({ status: 204 });
  sender.set("alice", presentIn("c1"));
  expect(await sender.exchange()).toMatchObject({ status: 204 });
});

const position = { appId: "shop", webhookId: "copy", view: "v", version: 1 };
const diffBody = () =>
  JSON.stringify({ type: "presence.diff", data: { ...position, from: 0, users: {}, causes: {} } });

test.each([
  ["without a signature", diffBody(), { "webhook-signature": "" }, 401],
  ["without an id", diffBody(), { "webhook-id": "" }, 401],
  ["with a wrong signature", diffBody(), { "webhook-signature": "v1,AAAA" }, 401],
  ["with a signature of no version", diffBody(), { "webhook-signature": "v1" }, 401],
  ["with an old time", diffBody(), { "webhook-timestamp": "1000000000" }, 401],
  ["with a time to come", diffBody(), { "webhook-timestamp": "99999999999" }, 401],
  ["with another id than is signed", diffBody(), { "webhook-id": "other" }, 401],
  ["that is not JSON", "{", {}, 400],
  ["of an unknown type", '{"type":"presence.new","data":{}}', {}, 400],
  ["that is empty", "", {}, 400],
  ["that is not UTF-8", Buffer.from([0xff]), {}, 400],
  ["that is too long", "x".repeat(1_048_577), {}, 413],
])("refuses a message %s, and keeps its copy", async (_name, body, headers, status) => {
  await start();
  sender.set("alice", presentIn("c1"));
  await sender.exchange();
  const before = lines.length;
  // Of a body that is refused before it has come the client may see the end of the connection only.
  const answer = await sender.send(body, headers);
  if (answer !== undefined || status !== 413) expect(answer?.status).toBe(status);
  expect(lines.slice(before)).toEqual([
    expect.stringMatching(new RegExp(`^refused a request with ${status}: `)),
  ]);
  expect(lines.join()).not.toContain(secret.slice(6));
  sender.set("alice", null);
  expect(await sender.exchange()).toMatchObject({ status: 204 });
});

test("takes POST only", async () => {
  await start();
  const response = await fetch(`http://127.0.0.1:${port()}/`);
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
});

test("survives a client that goes away within its body", async () => {
  await start();
  const tcp = connect(port(), "127.0.0.1");
  tcp.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx");
  await once(tcp, "connect");
  tcp.end();
  tcp.resume();
  await once(tcp, "close");
  expect(await sender.exchange()).toMatchObject({ status: 204 });
});
