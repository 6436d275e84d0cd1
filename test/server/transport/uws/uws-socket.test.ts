import { beforeEach, describe, expect, it } from "vitest";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import type { SocketListener } from "../../../../src/server/gateway/socket.ts";
import { UwsSocket } from "../../../../src/server/transport/uws/uws-socket.ts";
import type { UwsWebSocket } from "../../../../src/server/transport/uws/uws-types.ts";

/** The part of the library that is used here; `room` is what the kernel would take. */
class FakeWebSocket {
  room = 0;
  waits = 0;
  writes = 0;
  drops = "";
  isCorked = false;
  onClose: (code: number) => void = () => {};
  readonly sent: string[] = [];
  cork(act: () => void): void {
    this.isCorked = true;
    act();
    this.isCorked = false;
    this.#write();
  }
  close(): void {
    this.onClose(1006);
  }
  end(code: number): void {
    this.sent.push(String(code));
  }
  send(message: string | Uint8Array): 0 | 1 | 2 {
    const name = String(message).slice(0, 1);
    this.sent.push(name);
    if (name === this.drops) return 2;
    this.waits += message.length;
    if (!this.isCorked) this.#write();
    return this.isCorked || this.waits === 0 ? 1 : 0;
  }
  #write(): void {
    this.writes++;
    this.waits = Math.max(0, this.waits - this.room);
  }
  getBufferedAmount(): number {
    return this.waits;
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it("reports a drain when a later send took along all waiting bytes, as the library does not", async () => {
  const library = new FakeWebSocket();
  let drained = 0;
  const listener = { onDrain: () => drained++, onClose: () => {} };
  const socket = new UwsSocket();
  socket.open(library as unknown as UwsWebSocket<unknown>, () => listener as unknown as SocketListener);
  expect(socket.send(new Frame("x".repeat(100)))).toBe(false);
  expect(socket.buffered).toBe(100);
  const { progress } = socket;
  library.room = 1_000;
  expect(socket.send(new Frame("pong"))).toBe(true);
  expect(drained).toBe(0);
  await nextTurn();
  expect(drained).toBe(1);
  expect(socket.buffered).toBe(0);
  expect(socket.progress).not.toBe(progress);
  // Nothing waited now, so there is no drain to report.
  expect(socket.send(new Frame("pong"))).toBe(true);
  await nextTurn();
  expect(drained).toBe(1);
});

it("does not report a drain when some bytes still wait, nor after its end", async () => {
  const library = new FakeWebSocket();
  let drained = 0;
  const listener = { onDrain: () => drained++, onClose: () => {} };
  const socket = new UwsSocket();
  socket.open(library as unknown as UwsWebSocket<unknown>, () => listener as unknown as SocketListener);
  socket.send(new Frame("x".repeat(100)));
  library.waits = 40;
  socket.checkDrained();
  expect(drained).toBe(0);
  library.room = 1_000;
  socket.send(new Frame("pong"));
  socket.closed(1000);
  await nextTurn();
  expect(drained).toBe(0);
});

describe("frames that are sent together", () => {
  let library: FakeWebSocket;
  let events: string[];
  let socket: UwsSocket;
  beforeEach(() => {
    library = new FakeWebSocket();
    events = [];
    socket = new UwsSocket();
    const listener = {
      onDrain: () => events.push("drain"),
      onClose: (code: number) => events.push(`close ${code}`),
    };
    socket.open(library as unknown as UwsWebSocket<unknown>, () => listener as unknown as SocketListener);
    library.onClose = (code) => socket.closed(code);
  });
  const frames = ["1", "2", "3"].map((name) => new Frame(name.padEnd(100, ".")));

  it("leave in one write", () => {
    library.room = 1_000;
    expect(socket.sendTogether(frames)).toBe(true);
    expect([library.sent, library.writes]).toEqual([["1", "2", "3"], 1]);
  });

  it("wait if the network does not take all of them, though the library says that it has them", () => {
    library.room = 120;
    expect(socket.sendTogether(frames)).toBe(false);
    expect(socket.buffered).toBe(180);
    const { progress } = socket;
    library.waits = 0;
    socket.checkDrained();
    expect(events).toEqual(["drain"]);
    expect(socket.progress).not.toBe(progress);
  });

  it("end the socket if the library drops one of them: a diff that is missing would not be noticed", () => {
    library.drops = "2";
    expect(socket.sendTogether(frames)).toBe(true);
    expect(events).toEqual(["close 1006"]);
    expect(socket.sendTogether(frames)).toBe(true);
    expect(library.sent).toEqual(["1", "2", "3"]);
  });
});
