import type { Socket as TcpSocket } from "node:net";
import { expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import { WsSocket } from "../../../../src/server/transport/ws/ws-socket.ts";

function socketOn() {
  const tcp = {
    writableLength: 0,
    _handle: { bytesWritten: 50, writeQueueSize: 8 },
    cork: () => library.calls.push("cork"),
    uncork: () => library.calls.push("uncork"),
  };
  const library = {
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    isSlow: false,
    calls: [] as string[],
    flushed: [] as (() => void)[],
    send(bytes: Buffer, _options: object, flushed: () => void): void {
      library.calls.push(String(bytes));
      library.flushed.push(flushed);
      if (library.isSlow) tcp.writableLength += bytes.length;
    },
    ping: () => library.calls.push("ping"),
    close: (code: number, reason: string) => library.calls.push(`close ${code} ${reason}`),
    terminate: () => library.calls.push("terminate"),
  };
  const socket = new WsSocket(library as unknown as WebSocket, tcp as unknown as TcpSocket);
  let drained = 0;
  socket.onDrain = () => drained++;
  return { socket, library, tcp, drained: () => drained };
}

it("a frame that TCP has taken does not wait", () => {
  const { socket, library, drained } = socketOn();
  expect(socket.send(new Frame("a"))).toBe(true);
  library.flushed[0]!();
  expect([library.calls, drained()]).toEqual([["a"], 0]);
});

it("frames that wait are told once when none waits any more", () => {
  const { socket, library, tcp, drained } = socketOn();
  library.isSlow = true;
  expect(socket.send(new Frame("a"))).toBe(false);
  expect(socket.send(new Frame("b"))).toBe(false);
  library.flushed[0]!();
  expect(drained()).toBe(0);
  tcp.writableLength = 0;
  library.flushed[0]!();
  library.flushed[1]!();
  expect(drained()).toBe(1);
});

it("frames that are sent together leave when the last of them is there", () => {
  const { socket, library, tcp, drained } = socketOn();
  expect(socket.sendTogether([new Frame("a"), new Frame("b")])).toBe(true);
  expect(library.calls).toEqual(["cork", "a", "b", "uncork"]);
  library.isSlow = true;
  expect(socket.sendTogether([new Frame("c"), new Frame("d")])).toBe(false);
  tcp.writableLength = 0;
  for (const flushed of library.flushed) flushed();
  expect(drained()).toBe(1);
  library.readyState = 2;
  expect(socket.sendTogether([new Frame("late")])).toBe(true);
  expect(library.calls).toHaveLength(8);
});

it("what waits and what was taken is what the libraries say", () => {
  const { socket, library } = socketOn();
  library.bufferedAmount = 7;
  expect([socket.buffered, socket.progress]).toEqual([7, 42]);
});

it("nothing is sent to a socket that is not open", () => {
  const { socket, library } = socketOn();
  library.readyState = 2;
  expect(socket.send(new Frame("late"))).toBe(true);
  socket.ping();
  expect(library.calls).toEqual([]);
});

it("the end is the library's", () => {
  const { socket, library } = socketOn();
  let authorized = 0;
  socket.onAuthorized = () => authorized++;
  socket.authorized();
  socket.ping();
  expect(socket.isClosing).toBe(false);
  socket.close(4000, "why");
  expect(socket.isClosing).toBe(true);
  socket.terminate();
  expect([library.calls, authorized]).toEqual([["ping", "close 4000 why", "terminate"], 1]);
});

it("a frame that cannot be sent does not hold back the others for ever", () => {
  const { socket, library } = socketOn();
  const broken = {
    get bytes(): Buffer {
      throw new Error("a defect");
    },
  } as unknown as Frame;
  expect(() => socket.sendTogether([new Frame("a"), broken])).toThrow("a defect");
  expect(library.calls).toEqual(["cork", "a", "uncork"]);
});
