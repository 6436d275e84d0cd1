import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TcpProxy } from "./proxy.ts";
import { until } from "./until.ts";

/** One end of a connection, and the bytes that arrived there. */
class End {
  readonly socket: Socket;
  readonly pieces: Buffer[] = [];
  ended = false;
  errorCode: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => this.pieces.push(bytes));
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code;
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

const accepted: End[] = [];
const clients: End[] = [];
let server: Server;
let proxy: TcpProxy;

const startServer = async (): Promise<Server> => {
  const started = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new End(socket)));
  started.listen(0, "127.0.0.1");
  await once(started, "listening");
  return started;
};
const portOf = (listener: Server) => (listener.address() as AddressInfo).port;

beforeEach(async () => {
  server = await startServer();
  proxy = await TcpProxy.start(portOf(server));
});
afterEach(async () => {
  await proxy.stop();
  for (const end of [...accepted.splice(0), ...clients.splice(0)]) end.socket.destroy();
  server.close();
});

function start(): End {
  const client = new End(connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true }));
  clients.push(client);
  return client;
}

/** A client that has sent something, without waiting until the server received it. */
async function dial(greeting = ""): Promise<End> {
  const client = start();
  await once(client.socket, "connect");
  if (greeting !== "") client.socket.write(greeting);
  return client;
}

/** A client and its server side, which has received the client's bytes. */
async function pair(): Promise<{ client: End; peer: End }> {
  const count = accepted.length;
  const client = await dial("hello");
  await until(() => accepted[count]?.text === "hello");
  return { client, peer: accepted[count]! };
}

it("forwards bytes and ends, and counts them", async () => {
  const { client, peer } = await pair();
  peer.socket.write("welcome");
  await until(() => client.text === "welcome");
  expect([proxy.accepted, proxy.connections, proxy.bytesToServer, proxy.bytesToClient]).toEqual([1, 1, 5, 7]);
  client.socket.end("bye");
  await until(() => peer.ended);
  expect(peer.text).toBe("hellobye");
  expect(client.ended).toBe(false);
  expect(proxy.connections).toBe(0);
  peer.socket.end("the last word");
  await until(() => client.ended);
  expect(client.text).toBe("welcomethe last word");
  expect(client.errorCode ?? peer.errorCode).toBeUndefined();
});

it("forwards resets", async () => {
  const first = await pair();
  first.client.socket.resetAndDestroy();
  await until(() => first.peer.errorCode === "ECONNRESET");
  const second = await pair();
  second.peer.socket.resetAndDestroy();
  await until(() => second.client.errorCode === "ECONNRESET");
  expect([proxy.accepted, proxy.connections]).toEqual([2, 0]);

  const third = await pair();
  proxy.delay(100);
  third.client.socket.write(" goodbye");
  await until(() => proxy.heldBytes === 8);
  await sleep(30);
  third.client.socket.resetAndDestroy();
  await until(() => third.peer.errorCode === "ECONNRESET");
  expect(third.peer.text).toBe("hello goodbye");
});

it("resets a client whose server is not running", async () => {
  proxy.retarget(1);
  const client = start();
  await until(() => client.errorCode === "ECONNRESET");
  expect(proxy.connections).toBe(0);
});

it("cuts connections", async () => {
  const pairs = [await pair(), await pair()];
  proxy.cut();
  expect(proxy.connections).toBe(0);
  for (const { client, peer } of pairs) {
    await until(() => client.errorCode === "ECONNRESET" && peer.errorCode === "ECONNRESET");
    expect(client.ended || peer.ended).toBe(false);
  }
  await pair();
  expect([proxy.accepted, proxy.connections]).toEqual([3, 1]);
});

it("half-closes: one side sees an end, and its bytes still arrive", async () => {
  const { client, peer } = await pair();
  proxy.halfClose();
  await until(() => client.ended);
  expect(peer.ended).toBe(false);
  peer.socket.write("nobody hears this");
  client.socket.write(" and on");
  await until(() => peer.text === "hello and on");
  expect(client.text).toBe("");
  client.socket.end();
  await until(() => peer.ended);

  const other = await pair();
  proxy.halfClose("server");
  await until(() => other.peer.ended);
  other.peer.socket.write("still");
  await until(() => other.client.text === "still");
});

it("holds everything in a blackhole and delivers it afterwards", async () => {
  const { client, peer } = await pair();
  proxy.blackhole(true);
  client.socket.write(" from before");
  peer.socket.end("an end");
  const another = await dial("made in the blackhole");
  const gone = await dial("given up in the blackhole");
  gone.socket.end();
  await until(() => proxy.accepted === 3 && proxy.connections === 2);
  await sleep(100);
  expect([client.text, client.ended, peer.text, accepted.length]).toEqual(["", false, "hello", 1]);
  expect(another.errorCode).toBeUndefined();

  proxy.blackhole(false);
  await until(() => client.text === "an end" && client.ended);
  await until(() => peer.text === "hello from before");
  await until(() => accepted[1]?.text === "made in the blackhole");
  await sleep(50);
  expect(accepted).toHaveLength(2);
});

it("holds a reset in the blackhole until it ends, and discards held bytes on a cut", async () => {
  const first = await pair();
  const second = await pair();
  proxy.blackhole(true);
  first.client.socket.resetAndDestroy();
  second.client.socket.write("lost");
  await until(() => proxy.connections === 1 && proxy.heldBytes === 4);
  await sleep(50);
  expect(first.peer.errorCode).toBeUndefined();
  proxy.cut();
  await until(() => first.peer.errorCode === "ECONNRESET" && second.peer.errorCode === "ECONNRESET");
  proxy.blackhole(false);
  await pair();
  expect(second.peer.text).toBe("hello");
});

it("refuses new connections only", async () => {
  const { client, peer } = await pair();
  proxy.refuse(true);
  const refused = start();
  await until(() => refused.errorCode === "ECONNRESET");
  client.socket.write("!");
  await until(() => peer.text === "hello!");
  expect([proxy.accepted, proxy.connections, accepted.length]).toEqual([2, 1, 1]);
  proxy.refuse(false);
  await pair();
});

/** Longer than a machine pauses. */
const DELAY_MS = 1_500;

it("delays each direction and keeps the order", async () => {
  const { client, peer } = await pair();
  proxy.delay(DELAY_MS);
  const startedAt = performance.now();
  client.socket.write("1");
  await sleep(20);
  // Later bytes with a shorter delay still arrive later.
  proxy.delay(0);
  client.socket.end("2");
  peer.socket.write("at once");
  await until(() => client.text === "at once");
  expect(peer.text).toBe("hello");
  await until(() => peer.ended);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(DELAY_MS - 5);
  expect(peer.text).toBe("hello12");
});

it("delivers in slices", async () => {
  const { client, peer } = await pair();
  peer.pieces.length = 0;
  proxy.slice(3);
  client.socket.write("0123456789");
  await until(() => peer.bytes.length === 10);
  expect(peer.text).toBe("0123456789");
  for (const piece of peer.pieces) expect(piece.length).toBeLessThanOrEqual(3);
  proxy.slice(Number.POSITIVE_INFINITY);
  client.socket.write("0123456789");
  await until(() => peer.bytes.length === 20);
});

it("limits the rate", async () => {
  const { client, peer } = await pair();
  proxy.limit(50_000);
  const startedAt = performance.now();
  client.socket.write(Buffer.alloc(10_000));
  peer.socket.write(Buffer.alloc(10_000));
  await until(() => peer.bytes.length === 10_005 && client.bytes.length === 10_000);
  // The first 20 ms are free.
  expect(performance.now() - startedAt).toBeGreaterThan(150);
  client.socket.write(Buffer.alloc(10_000_000));
  await until(() => proxy.heldBytes > 100_000);
  proxy.limit(Number.POSITIVE_INFINITY);
  await until(() => peer.bytes.length === 10_010_005);
});

it("switches to another server", async () => {
  await pair();
  const other = await startServer();
  proxy.retarget(portOf(other));
  proxy.cut();
  server.close();
  await pair();
  other.close();
});

it("reads no further than the other side accepts, and loses nothing", async () => {
  const { client, peer } = await pair();
  peer.socket.pause();
  const sent = randomBytes(32 * 1024 * 1024);
  client.socket.write(sent);
  // More than the buffers of both systems, or nothing would have to wait here.
  await until(() => proxy.heldBytes > 256 * 1024);
  let passed = -1;
  while (passed !== proxy.bytesToServer) {
    passed = proxy.bytesToServer;
    await sleep(100);
  }
  expect(proxy.heldBytes).toBeLessThan(1024 * 1024);
  expect(passed).toBeLessThan(sent.length);
  peer.socket.resume();
  await until(() => peer.bytes.length === sent.length + 5);
  expect(peer.bytes.subarray(5).equals(sent)).toBe(true);
  peer.pieces.length = 0;
});

it("corrupts the configured share of bytes, and none after that", async () => {
  const { client, peer } = await pair();
  const sent = Buffer.alloc(100_000, 0x55);
  proxy.corrupt(0.01);
  client.socket.write(sent);
  await until(() => peer.bytes.length === 5 + sent.length);
  const changed = peer.bytes.subarray(5).filter((byte) => byte !== 0x55).length;
  // The expected number is a thousand, with a standard deviation of 32.
  expect(changed).toBeGreaterThan(750);
  expect(changed).toBeLessThan(1_250);
  proxy.corrupt(0);
  peer.socket.write("as it was");
  await until(() => client.text === "as it was");
});
