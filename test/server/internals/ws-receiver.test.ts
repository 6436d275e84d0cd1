import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  beforeCloseFrame,
  onCloseFrame,
  setReceiverLimits,
  stopReceiving,
} from "../../../src/server/internals/ws-receiver.ts";

const MISSING = "_receiver of a WebSocket of ws has changed: see internals/ws-receiver.ts";

let server: WebSocketServer;
let accepted: WebSocket;
let client: WebSocket;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", maxPayload: 100 });
  await once(server, "listening");
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
  const opened = once(client, "open");
  [accepted] = (await once(server, "connection")) as [WebSocket];
  accepted.on("error", () => {});
  await opened;
});

afterEach(() => {
  client.terminate();
  server.close();
});

it("ws still reads the limit of a message for each message", async () => {
  setReceiverLimits(accepted, { maxPayload: 1_000, maxBufferedChunks: 1_000 });
  const received = Promise.race([once(accepted, "message"), once(accepted, "close")]);
  client.send("x".repeat(1_000));
  expect(String((await received)[0]), MISSING).toBe("x".repeat(1_000));
  const closed = once(client, "close");
  client.send("x".repeat(1_001));
  expect((await closed)[0], MISSING).toBe(1009);
});

it("ws still reads the limit of pieces for each message", async () => {
  setReceiverLimits(accepted, { maxPayload: 1_000_000, maxBufferedChunks: 1 });
  const closed = once(client, "close");
  // Larger than a read of the socket, so that it comes in several pieces.
  client.send("x".repeat(900_000));
  expect((await closed)[0], MISSING).toBe(1008);
});

it("ws still tells of a close frame before TCP has ended", async () => {
  const events: string[] = [];
  onCloseFrame(accepted, (code) => events.push(`frame ${code}`));
  accepted.on("close", () => events.push("close"));
  client.close(4000);
  await expect.poll(() => events, { message: MISSING }).toEqual(["frame 4000", "close"]);
});

it.each([
  ["a close frame", [0x88, 0x80, 0, 0, 0, 0], 1005],
  ["an invalid frame", [0xf1, 0x80, 0, 0, 0, 0], 1002],
] as const)("ws still sends what is sent before it answers %s", async (_what, frame, code) => {
  beforeCloseFrame(accepted, () => accepted.send("the last"));
  const received = once(client, "message");
  const closed = once(client, "close");
  (client as unknown as { readonly _socket: Socket })._socket.write(Buffer.from(frame));
  expect(String((await Promise.race([received, closed]))[0]), MISSING).toBe("the last");
  expect((await closed)[0]).toBe(code);
});

it("ws still leaves the rest of a packet alone when it is told to", async () => {
  const seen: string[] = [];
  accepted.on("message", (data) => {
    seen.push(String(data));
    stopReceiving(accepted);
  });
  // Small frames that are written together arrive in one packet.
  const tcp = (client as unknown as { readonly _socket: Socket })._socket;
  tcp.cork();
  for (const text of ["one", "two", "three"]) client.send(text);
  tcp.uncork();
  await expect.poll(() => seen).not.toEqual([]);
  // A later packet is read, and with it what was left.
  client.send("four");
  await expect.poll(() => seen, { message: MISSING }).toEqual(["one", "two"]);
});
