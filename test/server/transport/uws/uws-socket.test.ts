import { beforeEach, describe, expect, it } from "vitest";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import type { SocketListener } from "../../../../src/server/gateway/socket.ts";
import { UwsSocket, UwsTurn } from "../../../../src/server/transport/uws/uws-socket.ts";
import type { UwsWebSocket } from "../../../../src/server/transport/uws/uws-types.ts";

/** The part of the library that is used here; `room` is what the kernel would take. */
class FakeWebSocket {
  room = 0;
  waits = 0;
  readonly sent: string[] = [];
  end(code: number): void {
    this.sent.push(String(code));
  }
  send(message: string | Uint8Array): 0 | 1 {
    this.sent.push(String(message).slice(0, 1));
    this.waits += message.length;
    this.waits = Math.max(0, this.waits - this.room);
    return this.waits === 0 ? 1 : 0;
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
  const socket = new UwsSocket(new UwsTurn(() => {}));
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
  const socket = new UwsSocket(new UwsTurn(() => {}));
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

describe("while the message of another socket is handled", () => {
  let turn: UwsTurn;
  let library: FakeWebSocket;
  let events: string[];
  let socket: UwsSocket;
  let crashes: unknown[];
  beforeEach(() => {
    crashes = [];
    turn = new UwsTurn((error) => crashes.push(error));
    library = new FakeWebSocket();
    library.room = 1e9;
    events = [];
    socket = new UwsSocket(turn);
    const listener = {
      onDrain: () => events.push("drain"),
      onBacklog: () => events.push("backlog"),
      onClose: () => {},
    };
    socket.open(library as unknown as UwsWebSocket<unknown>, () => listener as unknown as SocketListener);
    turn.socket = new UwsSocket(turn);
  });
  const frame = (name: string, length = 2_000) => new Frame(name.padEnd(length, "."));

  it("a large frame waits for the end of the turn, with all that follows it", async () => {
    expect(socket.send(frame("1", 10))).toBe(true);
    expect(library.sent).toEqual(["1"]);
    expect(socket.send(frame("2"))).toBe(true);
    expect(socket.send(frame("3", 10))).toBe(true);
    turn.socket = socket;
    expect(socket.send(frame("4"))).toBe(true);
    turn.socket = undefined;
    expect(socket.send(frame("5", 10).encodeBytes())).toBe(true);
    expect(library.sent).toEqual(["1"]);
    expect(socket.buffered).toBe(0);
    expect(events).toEqual([]);
    await nextTurn();
    expect(library.sent).toEqual(["1", "2", "3", "4", "5"]);
    expect(socket.send(frame("6"))).toBe(true);
    expect(library.sent).toHaveLength(6);
    await nextTurn();
    expect(events).toEqual([]);
  });

  it("only a few bytes wait, and none behind bytes that the network has not taken", async () => {
    for (let n = 0; n < 17; n++) socket.send(frame(String(n % 10)));
    expect(library.sent.join("")).toBe("01234567890123456");
    library.room = 0;
    socket.send(frame("a"));
    await nextTurn();
    expect(events).toEqual(["backlog"]);
    expect(socket.send(frame("b"))).toBe(false);
    expect(library.sent.slice(17)).toEqual(["a", "b"]);
    expect(socket.buffered).toBe(4_000);
  });

  it("a socket's own frames are sent at once", () => {
    turn.socket = socket;
    expect(socket.send(frame("1"))).toBe(true);
    expect(library.sent).toEqual(["1"]);
  });

  it("bytes that the network does not take then are reported as a backlog", async () => {
    library.room = 0;
    expect(socket.send(frame("1"))).toBe(true);
    await nextTurn();
    expect(events).toEqual(["backlog"]);
    expect(socket.buffered).toBe(2_000);
    library.waits = 0;
    socket.checkDrained();
    expect(events).toEqual(["backlog", "drain"]);
  });

  it("a close frame comes after the deferred frames, and nothing after the end", async () => {
    socket.send(frame("1"));
    socket.close(4000, "");
    expect(library.sent).toEqual(["1", "4000"]);
    socket.send(frame("2"));
    socket.closed(1006);
    expect(socket.buffered).toBe(0);
    socket.send(frame("3"));
    await nextTurn();
    expect(library.sent).toEqual(["1", "4000"]);
    expect(crashes).toEqual([]);
  });

  it("a socket that fails does not keep the others from sending", async () => {
    const failing = new UwsSocket(turn);
    const broken = {
      send: () => {
        throw new Error("broken");
      },
    };
    failing.open(broken as unknown as UwsWebSocket<unknown>, () => ({}) as SocketListener);
    failing.send(frame("1"));
    socket.send(frame("2"));
    await nextTurn();
    expect(crashes).toHaveLength(1);
    expect(library.sent).toEqual(["2"]);
  });
});
