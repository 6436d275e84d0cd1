import { once } from "node:events";
import { connect, type Socket as TcpSocket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { BodySink } from "../../../src/server/gateway/body-sink.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import type { Socket, UpgradeAnswer, UpgradeRequest } from "../../../src/server/gateway/socket.ts";
import { BodyBudget } from "../../../src/server/http/body-budget.ts";
import {
  BodyWanted,
  type HttpHandler,
  type HttpRequest,
  jsonResponse,
  streamResponse,
  textResponse,
} from "../../../src/server/http/exchange.ts";
import {
  MAX_PIPELINED,
  type Transport,
  type TransportOptions,
} from "../../../src/server/transport/transport.ts";
import { loadUws } from "../../../src/server/transport/uws/load-uws.ts";
import { listenUws } from "../../../src/server/transport/uws/uws.ts";
import { listenWs } from "../../../src/server/transport/ws/ws.ts";
import { ownPort } from "../../programs/own-port.ts";
import { limitsOf, tcpSlots } from "../../support/transport-options.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { until } from "../../support/until.ts";

// The contract that the gateway relies on, tested on each adapter without a gateway behind it.

/** One address may have half of them where a transport does not tell whose connection has ended. */
const MAX_TCP_CONNECTIONS = 600;

class Recorder {
  readonly events: unknown[][] = [];
  socket!: Socket;
  accept = (socket: Socket) => {
    this.socket = socket;
    return {
      onText: (text: string, bytes: number) => this.events.push(["text", text, bytes]),
      onBinary: () => this.events.push(["binary"]),
      onControl: () => this.events.push(["control"]),
      onBacklog: () => this.events.push(["backlog"]),
      onDrain: () => this.events.push(["drain"]),
      onClose: (code: number) => this.events.push(["close", code]),
    };
  };
  count(name: string): number {
    return this.events.filter(([event]) => event === name).length;
  }
}

describe.each(TRANSPORTS)("the %s transport", (name) => {
  let transport: Transport;
  let recorder: Recorder;
  let upgrades: UpgradeRequest[];
  let answer: (recorder: Recorder) => UpgradeAnswer;
  let handle: HttpHandler;
  let abandoned: number;
  let crashes: unknown[];
  let tcpRefused: number;
  let bodyRefused: number;
  let bodies: BodyBudget;

  beforeEach(async () => {
    recorder = new Recorder();
    upgrades = [];
    abandoned = 0;
    crashes = [];
    tcpRefused = 0;
    bodyRefused = 0;
    // 50,000 bytes, of which each owner may have a quarter.
    bodies = new BodyBudget(400_000);
    answer = ({ accept }) => ({ ok: true, accept, abandon: () => abandoned++ });
    handle = (request) => {
      const { method, path, query, headers, contentLength, isForwarded } = request;
      const head = { method, path, query, headers, contentLength, isForwarded, address: request.address() };
      return new BodyWanted("app", (body) => jsonResponse(200, { ...head, body: body.toString() }));
    };
    const options: TransportOptions = {
      host: "127.0.0.1",
      // A port of its own, so that no other program listens on it when it is closed.
      port: await ownPort(),
      maxMessageBytes: 1_000,
      maxBufferedBytes: 1_048_576,
      ...limitsOf(name),
      tcp: tcpSlots(name, MAX_TCP_CONNECTIONS),
      tcpRefused: () => tcpRefused++,
      bodies,
      bodyRefused: () => bodyRefused++,
      upgrade: (request) => {
        upgrades.push(request);
        return answer(recorder);
      },
      handle: (request) => handle(request),
      clientAddress: (peer, forwardedFor) => `${peer}|${forwardedFor ?? ""}`,
      crashed: (error) => crashes.push(error),
    };
    const { uws } = loadUws();
    transport = name === "uws" ? await listenUws(uws!, options) : await listenWs(options);
  });
  afterEach(async () => {
    recorder.socket?.terminate();
    await transport.close();
    expect(crashes).toEqual([]);
  });

  const open = async (path = "/v1/app/realtime", protocols: string[] = [], options: object = {}) => {
    const client = new WebSocket(`ws://127.0.0.1:${transport.port}${path}`, protocols, options);
    client.on("error", () => {});
    await once(client, "open");
    return client;
  };
  const raw = async (text = "", localAddress = "127.0.0.1"): Promise<TcpSocket> => {
    const tcp = connect({ port: transport.port, host: "127.0.0.1", localAddress });
    tcp.on("error", () => {});
    await once(tcp, "connect");
    tcp.write(text);
    return tcp;
  };
  const url = (path: string) => `http://127.0.0.1:${transport.port}${path}`;

  describe("upgrades", () => {
    it("passes on app, origin and address, and answers with the subprotocol only if it was offered", async () => {
      const first = await open("/v1/a%2Fb%20%C3%A9/realtime?x=1", ["other", "presence.v1"], {
        origin: "https://a.example",
        headers: { "x-forwarded-for": "1.2.3.4" },
      });
      expect(first.protocol).toBe("presence.v1");
      expect(upgrades[0]).toMatchObject({ appId: "a/b é", origin: "https://a.example" });
      expect(upgrades[0]!.address).toMatch(/\|1\.2\.3\.4$/);
      const second = await open();
      expect(second.protocol).toBe("");
      expect(upgrades[1]).toMatchObject({ appId: "app", origin: undefined });
      first.terminate();
      second.terminate();
    });

    it.each([403, 404, 429, 503] as const)("refuses with %i, as JSON", async (status) => {
      answer = () => ({ ok: false, status, message: "no", retryAfterS: 7 });
      const client = new WebSocket(`ws://127.0.0.1:${transport.port}/v1/app/realtime`);
      client.on("error", () => {});
      const [, response] = await once(client, "unexpected-response");
      expect(response.statusCode).toBe(status);
      expect(response.headers["retry-after"]).toBe("7");
      const [body] = await once(response, "data");
      expect(JSON.parse(body)).toMatchObject({ reasons: { upgrade: ["no"] } });
    });

    it.each(["/", "/v1/app", "/v1/app/realtime/", "/v1/%zz/realtime", "/v1//realtime"])(
      "knows no WebSocket at %s",
      async (path) => {
        const client = new WebSocket(`ws://127.0.0.1:${transport.port}${path}`);
        client.on("error", () => {});
        const [, response] = await once(client, "unexpected-response");
        expect(response.statusCode).toBe(404);
        expect(upgrades).toEqual([]);
      },
    );

    it("never negotiates compression", async () => {
      const client = await open("/v1/app/realtime", [], { perMessageDeflate: true });
      expect(client.extensions).toBe("");
      client.terminate();
    });

    it("gives its place back when the handshake is broken", async () => {
      const tcp = await raw(
        "GET /v1/app/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
      );
      const [data] = await once(tcp, "data");
      expect(String(data)).toMatch(/^HTTP\/1\.1 (400|200|404)/);
      expect(upgrades.length).toBe(abandoned);
      tcp.destroy();
    });
  });

  describe("sockets", () => {
    it("carry text both ways, with its length in bytes", async () => {
      const client = await open();
      client.send("héllo ✓");
      await until(() => recorder.count("text") === 1);
      expect(recorder.events[0]).toEqual(["text", "héllo ✓", 10]);
      const message = once(client, "message");
      expect(recorder.socket.send(new Frame("✓ back"))).toBe(true);
      const [data, isBinary] = await message;
      expect([String(data), isBinary]).toEqual(["✓ back", false]);
      client.terminate();
    });

    it("report binary frames, pings and pongs, and answer pings", async () => {
      const client = await open();
      client.send(Buffer.from([1, 2]), { binary: true });
      await until(() => recorder.count("binary") === 1);
      client.ping();
      await once(client, "pong");
      await until(() => recorder.count("control") === 1);
      recorder.socket.ping();
      await once(client, "ping");
      await until(() => recorder.count("control") === 2);
      client.terminate();
    });

    it.each([
      [1000, (client: WebSocket) => client.close(1000)],
      [1001, (client: WebSocket) => client.close(1001)],
      [4000, (client: WebSocket) => client.close(4000, "why")],
      [1005, (client: WebSocket) => client.close()],
      [1006, (client: WebSocket) => client.terminate()],
    ])("tell once that the peer closed with %i", async (code, close) => {
      const client = await open();
      close(client);
      await until(() => recorder.count("close") === 1);
      await delay(20);
      expect(recorder.events).toEqual([["close", code]]);
    });

    it("close with a code and a reason", async () => {
      const client = await open();
      const closed = once(client, "close");
      recorder.socket.close(4401, "no valid token");
      const [code, reason] = await closed;
      expect([code, String(reason)]).toEqual([4401, "no valid token"]);
      await until(() => recorder.count("close") === 1);
    });

    it("can be terminated, and ignore every call after their end", async () => {
      const client = await open();
      const closed = once(client, "close");
      recorder.socket.terminate();
      expect((await closed)[0]).toBe(1006);
      await until(() => recorder.count("close") === 1);
      const { socket } = recorder;
      socket.send(new Frame("x"));
      socket.ping();
      socket.close(1000, "");
      socket.terminate();
      expect(socket.buffered).toBe(0);
      expect(socket.progress).toBeTypeOf("number");
      expect(recorder.count("close")).toBe(1);
    });

    it("drop or close a peer whose message is too large, and never deliver it", async () => {
      const client = await open();
      const closed = once(client, "close");
      client.send("x".repeat(1_000));
      await until(() => recorder.count("text") === 1);
      client.send("x".repeat(1_001));
      // Known deviation: uWebSockets.js drops the connection instead of sending 1009.
      expect((await closed)[0]).toBe(name === "uws" ? 1006 : 1009);
      await until(() => recorder.count("close") === 1);
      expect(recorder.count("text")).toBe(1);
    });

    it("drop or close a peer whose text is not UTF-8, and never deliver it", async () => {
      const client = await open();
      const closed = once(client, "close");
      client.send(Buffer.from([0xff, 0xfe]), { binary: false });
      // Known deviation: uWebSockets.js drops the connection instead of sending 1007.
      expect((await closed)[0]).toBe(name === "uws" ? 1006 : 1007);
      await until(() => recorder.count("close") === 1);
      expect(recorder.count("text")).toBe(0);
    });

    it("report when bytes wait, how many, whether some are taken, and when none waits any more; in order and complete", async () => {
      const client = await open();
      client.pause();
      const { socket } = recorder;
      const frame = (n: number) => new Frame(`${n}`.padEnd(60_000, "."));
      let sent = 0;
      while (socket.send(frame(sent++))) if (sent > 1_000) throw new Error("nothing ever waits");
      expect(socket.buffered).toBeGreaterThan(0);
      // The kernel takes some more at each write; after this much it has no room left.
      for (let i = 0; i < 50; i++) socket.send(frame(sent++));
      const more = socket.buffered;
      expect(socket.send(frame(sent++))).toBe(false);
      expect(socket.buffered).toBeGreaterThan(more);
      await delay(50);
      const { progress } = socket;
      await delay(50);
      expect(socket.progress).toBe(progress);
      // Sending more is no progress either.
      socket.send(frame(sent++));
      await delay(20);
      expect(socket.progress).toBe(progress);
      expect(recorder.count("drain")).toBe(0);
      const received: number[] = [];
      client.on("message", (data) => received.push(Number.parseInt(String(data), 10)));
      client.resume();
      await until(() => received.length === sent);
      expect(received).toEqual([...Array(sent).keys()]);
      await until(() => recorder.count("drain") === 1);
      expect(socket.buffered).toBe(0);
      expect(socket.progress).not.toBe(progress);
      client.terminate();
    });
  });

  it("sends frames of one socket to another in order, large and small, while a message is handled", async () => {
    const sockets: Socket[] = [];
    const size = (n: number) => [10, 40_000, 10, 2_000, 1_023, 1_024][n % 6]!;
    let sent = 0;
    answer = () => ({
      ok: true,
      accept: (socket) => {
        sockets.push(socket);
        const onText = () => {
          for (const each of sockets) each.send(new Frame(`${sent}`.padEnd(size(sent), ".")));
          sent++;
        };
        return { onText, onBinary() {}, onControl() {}, onBacklog() {}, onDrain() {}, onClose() {} };
      },
      abandon: () => {},
    });
    const clients = await Promise.all([open(), open(), open()]);
    const received: number[][] = clients.map(() => []);
    for (const [i, client] of clients.entries()) {
      client.on("message", (data) => {
        expect((data as Buffer).length).toBe(size(received[i]!.length));
        received[i]!.push(Number.parseInt(String(data), 10));
      });
    }
    for (let i = 0; i < 300; i++) clients[i % 2]!.send("go");
    await until(() => received.every(({ length }) => length === 300));
    for (const each of received) expect(each).toEqual([...Array(300).keys()]);
    for (const each of sockets) each.terminate();
  });

  describe("TCP connections", () => {
    it("are closed at once over their limit, whatever their kind, and there is room again when others end", async () => {
      const waves = [];
      for (let wave = 0; wave < 3; wave++) {
        const webSockets = await Promise.all(Array.from({ length: 10 }, () => open()));
        // Few of each address: one alone gets no more than its share.
        const rawOf = (i: number) => raw("", `127.0.${wave}.${2 + Math.floor(i / 5)}`);
        const silent = await Promise.all(
          Array.from({ length: MAX_TCP_CONNECTIONS - 10 }, (_, i) => rawOf(i)),
        );
        tcpRefused = 0;
        // uWebSockets.js closes a connection that has been silent for 10 s.
        for (const tcp of silent) tcp.write("G");
        const silentSince = performance.now();
        const over = await Promise.all(Array.from({ length: 20 }, (_, i) => rawOf(500 + i)));
        await Promise.all(over.map((tcp) => tcp.closed || once(tcp, "close")));
        await until(() => tcpRefused === 20);
        if (performance.now() - silentSince < 8_000) {
          expect(silent.filter((tcp) => tcp.closed)).toEqual([]);
        }
        waves.push(webSockets.filter((each) => each.readyState === each.OPEN).length);
        const closed = recorder.count("close");
        for (const each of webSockets) each.terminate();
        for (const each of silent) each.resetAndDestroy();
        await until(() => recorder.count("close") === closed + 10);
        await Promise.all(silent.map((tcp) => tcp.closed || once(tcp, "close")));
        await delay(20);
      }
      expect(waves).toEqual([10, 10, 10]);
      expect((await fetch(url("/"))).status).toBe(200);
    });
  });

  describe("HTTP", () => {
    it("passes on a request, and sends its response", async () => {
      const response = await fetch(url("/a%20b/c?d=%7B%7D&e"), {
        method: "POST",
        body: "bödy",
        headers: {
          authorization: "Bearer x",
          "content-type": "text/plain",
          "last-event-id": "v:1",
          "x-forwarded-for": "1.2.3.4",
          "x-other": "ignored",
        },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      const request = (await response.json()) as Omit<HttpRequest, "address"> & { address: string };
      expect(request).toMatchObject({ contentLength: 5, isForwarded: true });
      expect(request).toMatchObject({
        method: "POST",
        path: "/a%20b/c",
        query: "d=%7B%7D&e",
        body: "bödy",
        headers: {
          authorization: "Bearer x",
          "content-type": "text/plain",
          "last-event-id": "v:1",
          host: new URL(url("/")).host,
          "x-forwarded-for": "1.2.3.4",
        },
      });
      expect(request.address).toMatch(/\|1\.2\.3\.4$/);
      expect(Object.keys(request.headers)).not.toContain("x-other");
    });

    it("leaves out the body of a response to HEAD, and keeps its length", async () => {
      handle = () => textResponse(200, '{"a":1}');
      const response = await fetch(url("/"), { method: "HEAD" });
      expect(response.headers.get("content-length")).toBe("7");
      expect(await response.text()).toBe("");
    });

    it("waits for handlers, and ends only the request of one that throws", async () => {
      handle = async ({ path }) => {
        await delay(20);
        if (path === "/bad") throw new Error("a defect");
        return textResponse(200, "{}");
      };
      await expect(fetch(url("/bad"))).rejects.toThrow();
      expect(await (await fetch(url("/good"))).text()).toBe("{}");
      handle = () => {
        throw new Error("another");
      };
      await expect(fetch(url("/"))).rejects.toThrow();
      expect(crashes.splice(0)).toHaveLength(2);
    });

    it("survives clients that go away at any point", async () => {
      handle = async () => {
        await delay(10);
        return textResponse(200, "{}");
      };
      for (let i = 0; i < 50; i++) {
        const tcp = await raw(
          `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n${"x".repeat(i % 12)}`,
        );
        setTimeout(() => tcp.resetAndDestroy(), i % 20);
      }
      await delay(50);
      expect((await fetch(url("/"))).status).toBe(200);
    });

    it("makes a long response only as fast as it is read", async () => {
      let made = 0;
      function* pieces(): Generator<string, undefined> {
        for (; made < 400; made++) yield `${made}`.padEnd(65_536, ".");
      }
      handle = () => textResponse(200, pieces());
      const tcp = await raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      tcp.pause();
      await until(() => made > 0);
      await delay(300);
      expect(made).toBeLessThan(200);
      tcp.destroy();
      await delay(50);
      made = 0;
      const text = await (await fetch(url("/"))).text();
      expect(text).toHaveLength(400 * 65_536);
      expect(made).toBe(400);
    });

    it("streams, and reports when bytes wait, when none waits any more, and when the reader has gone", async () => {
      const events: string[] = [];
      let sink!: BodySink;
      handle = () =>
        streamResponse("text/event-stream", (opened) => {
          sink = opened;
          return { onDrain: () => events.push("drain"), onClose: () => events.push("close") };
        });
      const tcp = await raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      let received = 0;
      tcp.on("data", (data) => {
        received += data.length;
      });
      await until(() => sink !== undefined);
      sink.send(new Frame("data: 1\n\n"));
      await until(() => received > 0);
      tcp.pause();
      const piece = new Frame("x".repeat(65_536));
      let sent = 0;
      // Node hands over at the end of its turn, so each piece is given one.
      do {
        if (sent++ > 1_000) throw new Error("nothing ever waits");
        sink.send(piece);
        await delay(1);
      } while (sink.buffered === 0);
      const { progress } = sink;
      events.length = 0;
      tcp.resume();
      await until(() => events.includes("drain"));
      await until(() => sink.buffered === 0);
      expect(sink.progress).not.toBe(progress);
      tcp.destroy();
      await until(() => events.includes("close"));
      sink.send(piece);
      sink.end();
      sink.terminate();
      expect(events.filter((event) => event === "close")).toHaveLength(1);
    });

    it("sends a whole answer to a slow reader exactly, and handles no next request before it is out", async () => {
      const text = "é✓x".repeat(1_000_000);
      // More than the kernel takes at both ends for a reader that takes nothing.
      const moreThanFits = Buffer.alloc(32 * 1_024 * 1_024, "x");
      const handled: string[] = [];
      for (const body of [text, Buffer.from(text)]) {
        handled.length = 0;
        handle = ({ path }) => {
          handled.push(path);
          return { status: 200, headers: {}, body: path === "/2" ? moreThanFits : body };
        };
        const tcp = await raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
        tcp.pause();
        await delay(200);
        const chunks: Buffer[] = [];
        let received = 0;
        tcp.on("data", (chunk) => {
          chunks.push(chunk);
          received += chunk.length;
          if (chunks.length % 20 > 0) return;
          tcp.pause();
          setTimeout(() => tcp.resume(), 5);
        });
        tcp.resume();
        await until(() => received > Buffer.byteLength(text));
        const [, got] = Buffer.concat(chunks).toString().split("\r\n\r\n");
        expect(got === text).toBe(true);
        tcp.removeAllListeners("data");
        tcp.pause();
        tcp.write("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
        await until(() => handled.length === 2);
        // Its answer waits: a third request is not handled, and may end the connection.
        await delay(100);
        tcp.write("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
        await delay(200);
        expect(handled).toEqual(["/1", "/2"]);
        tcp.destroy();
      }
    });

    it("answers pipelined requests in order, and disconnects a client that sends too many", async () => {
      const handled: string[] = [];
      handle = ({ path }) => {
        handled.push(path);
        return textResponse(200, JSON.stringify(path));
      };
      const request = (i: number) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`;
      const requests = (count: number) => Array.from({ length: count }, (_, i) => request(i)).join("");
      const patient = await raw(requests(MAX_PIPELINED));
      let text = "";
      patient.on("data", (data) => {
        text += data;
      });
      await until(() => text.includes(`"/${MAX_PIPELINED - 1}"`));
      const bodies = [...text.matchAll(/"\/(\d+)"/g)].map(([, i]) => Number(i));
      expect(bodies).toEqual([...Array(MAX_PIPELINED).keys()]);
      patient.destroy();
      handled.length = 0;
      const greedy = await raw(requests(1_500));
      greedy.resume();
      await until(() => greedy.closed);
      expect(handled.length).toBeLessThanOrEqual(3 * MAX_PIPELINED);
      expect((await fetch(url("/"))).status).toBe(200);
    });

    it("answers many requests at the same time, each with its own body", async () => {
      handle = (request) => {
        // Else connections would end with their answers, as there are so many.
        request.authorized();
        return new BodyWanted("app", (body) => textResponse(200, `${request.path}=${body}`));
      };
      const asking = await Promise.all(
        Array.from({ length: 400 }, async (_, i) => {
          const tcp = await raw("", `127.0.3.${1 + (i % 100)}`);
          const seen = { tcp, text: "" };
          tcp.on("data", (data) => {
            seen.text += data;
          });
          return seen;
        }),
      );
      for (let round = 0; round < 5; round++) {
        for (const seen of asking) seen.text = "";
        // In one turn of the event loop, so that all come in one turn of the server's.
        for (const [i, { tcp }] of asking.entries()) {
          const body = `${round} ${i}`;
          tcp.write(`POST /${i} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        }
        await until(() => asking.every(({ text }, i) => text.endsWith(`/${i}=${round} ${i}`)));
      }
      for (const { tcp } of asking) tcp.destroy();
    });

    it("refuses a body for which there is no room, skips the rest of it, and accepts the next request", async () => {
      const kept: string[] = [];
      handle = ({ path }) =>
        new BodyWanted(path, (body) => {
          kept.push(String(body));
          return textResponse(200, "{}");
        });
      const post = (path: string, length: number) =>
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
      const tcp = await raw();
      let text = "";
      tcp.on("data", (data) => {
        text += data;
      });
      const codes = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));
      tcp.write(post("/a", 60_000) + "x".repeat(20_000));
      await until(() => codes().length === 1);
      expect(text).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 1\r\n/i);
      expect(bodyRefused).toBe(1);
      tcp.write("y".repeat(40_000));
      // A body of which only the last piece is missing holds what came before; another owner has a part of
      // its own.
      tcp.write(post("/a", 10_000) + "z".repeat(9_999));
      await until(() => bodies.bytes > 0);
      await delay(50);
      expect(bodies.bytes).toBe(9_999);
      const other = await raw(post("/b", 8));
      other.write("12345678");
      await until(() => kept.length === 1);
      tcp.write("!");
      await until(() => kept.length === 2);
      expect(kept).toEqual(["12345678", `${"z".repeat(9_999)}!`]);
      await until(() => codes().length === 2);
      expect(codes()).toEqual([503, 200]);
      // The bytes of a client that goes away count no more.
      tcp.write(post("/a", 10_000) + "z".repeat(100));
      await until(() => bodies.bytes > 0);
      tcp.destroy();
      other.destroy();
      await until(() => bodies.bytes === 0);
    });

    it("closes after a response that asks for it, and handles no request behind it", async () => {
      const handled: string[] = [];
      handle = ({ path }) => {
        handled.push(path);
        return { ...textResponse(429, "{}"), closeAfter: true };
      };
      const tcp = await raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
      let text = "";
      tcp.on("data", (data) => {
        text += data;
      });
      await until(() => tcp.closed);
      expect(text).toMatch(/^HTTP\/1\.1 429 [\s\S]*\r\nconnection: close\r\n[\s\S]*\{\}$/i);
      const pipelined = await raw("GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
      pipelined.resume();
      await until(() => pipelined.closed);
      expect(handled).toEqual(["/1", "/2"]);
    });

    it("can end a stream", async () => {
      handle = () =>
        streamResponse("text/event-stream", (sink) => {
          sink.send(new Frame("data: 1\n\n"));
          setTimeout(() => sink.end(), 20);
          return { onDrain: () => {}, onClose: () => {} };
        });
      expect(await (await fetch(url("/"))).text()).toBe("data: 1\n\n");
    });

    it("closes after the requests in hand have their answers", async () => {
      let isAsked = false;
      handle = async () => {
        isAsked = true;
        await delay(100);
        return textResponse(200, "{}");
      };
      const inHand = fetch(url("/"));
      await until(() => isAsked);
      await transport.close();
      await transport.close();
      expect(await (await inHand).text()).toBe("{}");
      await expect(fetch(url("/"))).rejects.toThrow();
    });
  });

  it("rejects when the port is in use", async () => {
    const options = { ...limitsOf(name), host: "127.0.0.1", port: transport.port } as TransportOptions;
    const { uws } = loadUws();
    await expect(name === "uws" ? listenUws(uws!, options) : listenWs(options)).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });
});
