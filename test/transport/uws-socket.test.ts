import { expect, it } from "vitest";
import { Frame } from "../../src/gateway/frame.ts";
import type { SocketListener } from "../../src/gateway/socket.ts";
import { UwsSocket } from "../../src/transport/uws-socket.ts";
import type { UwsWebSocket } from "../../src/transport/uws-types.ts";

/** The library as far as it is asked here; `room` is what the kernel would take. */
class FakeWebSocket {
  room = 0;
  waits = 0;
  send(message: string | Uint8Array): 0 | 1 {
    this.waits += message.length;
    this.waits = Math.max(0, this.waits - this.room);
    return this.waits === 0 ? 1 : 0;
  }
  getBufferedAmount(): number {
    return this.waits;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("tells that it has drained when a later send took all that waited along, for the library does not", async () => {
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
  await turn();
  expect(drained).toBe(1);
  expect(socket.buffered).toBe(0);
  expect(socket.progress).not.toBe(progress);
  // Nothing waited now, so there is nothing to tell.
  expect(socket.send(new Frame("pong"))).toBe(true);
  await turn();
  expect(drained).toBe(1);
});

it("does not tell so when only some was taken, nor after its end", async () => {
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
  await turn();
  expect(drained).toBe(0);
});
