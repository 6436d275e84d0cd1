import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asksForResync, MAX_ANSWER_BYTES, sendWebhook } from "../../../src/server/webhooks/send-webhook.ts";
import { WebhookReceiver } from "../../support/webhook-receiver.ts";

/** Long enough for an answer on a busy machine. A test of lateness waits this long. */
const TIMEOUT_MS = 1_500;

describe("an attempt", () => {
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    receiver = await WebhookReceiver.start();
  });
  afterAll(() => receiver.stop());

  const send = (timeoutMs?: number) =>
    sendWebhook(
      { url: receiver.url, headers: { "webhook-id": "msg_1" }, body: Buffer.from('"é"') },
      timeoutMs,
    );

  it("posts the bytes and headers that it is given", async () => {
    receiver.script({ status: 202, body: "thanks" });
    expect(await send().result).toEqual({ kind: "answered", status: 202, body: "thanks" });
    const { headers, text } = receiver.received.at(-1)!;
    expect(text).toBe('"é"');
    expect(headers).toMatchObject({
      "webhook-id": "msg_1",
      "content-type": "application/json",
      "content-length": "4",
      "accept-encoding": "identity",
    });
  });

  it("follows no redirect", async () => {
    const { length } = receiver.received;
    receiver.script({ status: 307, headers: { location: "/other" } });
    expect(await send().result).toMatchObject({ kind: "answered", status: 307 });
    expect(receiver.received).toHaveLength(length + 1);
  });

  it("reads at most 64 KiB of an answer, and the status counts all the same", async () => {
    receiver.script(
      { status: 200, body: " ".repeat(MAX_ANSWER_BYTES) },
      { status: 200, body: " ".repeat(MAX_ANSWER_BYTES + 1) },
    );
    expect(await send().result).toMatchObject({ status: 200, body: " ".repeat(MAX_ANSWER_BYTES) });
    expect(await send().result).toEqual({ kind: "answered", status: 200, body: undefined });
  });

  it("reads an endless answer no longer than it may", async () => {
    receiver.script((response) => {
      const timer = setInterval(() => response.write("x".repeat(100_000)), 1);
      response.on("close", () => clearInterval(timer));
    });
    expect(await send().result).toEqual({ kind: "answered", status: 200, body: undefined });
  });

  it("takes an answer that is small only as long as it is packed, or no text, for none", async () => {
    const packed = gzipSync(" ".repeat(10_000_000));
    receiver.script(
      (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(packed),
      (response) => response.writeHead(200).end(Buffer.from([0xff, 0xfe])),
    );
    expect(await send().result).toEqual({ kind: "answered", status: 200, body: undefined });
    expect(await send().result).toEqual({ kind: "answered", status: 200, body: undefined });
  });

  it("ends after its time, with the status if that has come", async () => {
    receiver.script(
      (response) => response.writeHead(200).write("{"),
      () => {},
    );
    expect(await send(TIMEOUT_MS).result).toEqual({ kind: "answered", status: 200, body: undefined });
    expect(await send(TIMEOUT_MS).result).toEqual({ kind: "unanswered", reason: "timeout" });
  });

  it("fails for a receiver that is not there, breaks off, or speaks no HTTP", async () => {
    const failed = { kind: "unanswered", reason: "connection" };
    receiver.script((response) => response.destroy());
    expect(await send().result).toEqual(failed);
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("hello\r\n\r\n", () => socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/`;
    expect(await sendWebhook({ url, headers: {}, body: Buffer.from("{}") }).result).toEqual(failed);
    server.close();
    await once(server, "close");
    expect(await sendWebhook({ url, headers: {}, body: Buffer.from("{}") }).result).toEqual(failed);
  });

  it("can be ended", async () => {
    receiver.script(() => {});
    const { length } = receiver.received;
    const attempt = send();
    await receiver.nth(length + 1);
    attempt.abort();
    expect(await attempt.result).toEqual({ kind: "unanswered", reason: "connection" });
  });
});

it("only an object with resync: true asks for a snapshot", () => {
  expect(['{"resync":true}', ' {"resync" : true, "x": 1}\n'].map(asksForResync)).toEqual([true, true]);
  const others = [
    undefined,
    "",
    "resync",
    '"resync"',
    '{"resync":1}',
    '["resync"]',
    '{"resync":true',
    "null",
  ];
  for (const body of others) expect(asksForResync(body)).toBe(false);
});
