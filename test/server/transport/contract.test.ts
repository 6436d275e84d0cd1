import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Frame } from "../../../src/server/gateway/frame.ts";
import type { Socket } from "../../../src/server/gateway/socket.ts";
import type { TransportOptions } from "../../../src/server/transport/transport.ts";
import { BareTransport, listen, MAX_TCP_CONNECTIONS } from "../../support/bare-transport.ts";
import { limitsOf } from "../../support/transport-options.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { until } from "../../support/until.ts";

// The contract that the gateway relies on, tested on each adapter without a gateway behind it.
// This file has connections and WebSockets; http-contract.test.ts has requests.

describe.each(TRANSPORTS)("the %s transport", (name) => {
  let bare: BareTransport;
  beforeEach(async () => {
    bare = await BareTransport.start(name);
  });
  afterEach(() => bare.stop());

  describe("bare.upgrades", () => {
    it("passes on app, origin and address, and answers with the subprotocol only if it was offered", async () => {
      const first = await bare.open("/v1/a%2Fb%20%C3%A9/realtime?x=1", ["other", "presence.v1"], {
        origin: "https://a.example",
        headers: { "x-forwarded-for": "1.2.3.4" },
      });
      expect(first.protocol).toBe("presence.v1");
      expect(bare.upgrades[0]).toMatchObject({ appId: "a/b é", origin: "https://a.example" });
      expect(bare.upgrades[0]!.address).toMatch(/\|1\.2\.3\.4$/);
      const second = await bare.open();
      expect(second.protocol).toBe("");
      expect(bare.upgrades[1]).toMatchObject({ appId: "app", origin: undefined });
      first.terminate();
      second.terminate();
    });

    it.each([403, 404, 429, 503] as const)("refuses with %i, as JSON", async (status) => {
      bare.answer = () => ({ ok: false, status, message: "no", retryAfterS: 7 });
      const client = new WebSocket(`ws://127.0.0.1:${bare.port}/v1/app/realtime`);
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
        const client = new WebSocket(`ws://127.0.0.1:${bare.port}${path}`);
        client.on("error", () => {});
        const [, response] = await once(client, "unexpected-response");
        expect(response.statusCode).toBe(404);
        expect(bare.upgrades).toEqual([]);
      },
    );

    it("never negotiates compression", async () => {
      const client = await bare.open("/v1/app/realtime", [], { perMessageDeflate: true });
      expect(client.extensions).toBe("");
      client.terminate();
    });

    it("gives its place back when the handshake is broken", async () => {
      const tcp = await bare.raw(
        "GET /v1/app/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
      );
      const [data] = await once(tcp, "data");
      expect(String(data)).toMatch(/^HTTP\/1\.1 (400|200|404)/);
      expect(bare.upgrades.length).toBe(bare.abandoned);
      tcp.destroy();
    });
  });

  describe("sockets", () => {
    it("carry text both ways, with its length in bytes", async () => {
      const client = await bare.open();
      client.send("héllo ✓");
      await until(() => bare.recorder.count("text") === 1);
      expect(bare.recorder.events[0]).toEqual(["text", "héllo ✓", 10]);
      const message = once(client, "message");
      expect(bare.recorder.socket.send(new Frame("✓ back"))).toBe(true);
      const [data, isBinary] = await message;
      expect([String(data), isBinary]).toEqual(["✓ back", false]);
      client.terminate();
    });

    it("report binary frames, pings and pongs, and answer pings", async () => {
      const client = await bare.open();
      client.send(Buffer.from([1, 2]), { binary: true });
      await until(() => bare.recorder.count("binary") === 1);
      client.ping();
      await once(client, "pong");
      await until(() => bare.recorder.count("control") === 1);
      bare.recorder.socket.ping();
      await once(client, "ping");
      await until(() => bare.recorder.count("control") === 2);
      client.terminate();
    });

    it.each([
      [1000, (client: WebSocket) => client.close(1000)],
      [1001, (client: WebSocket) => client.close(1001)],
      [4000, (client: WebSocket) => client.close(4000, "why")],
      [1005, (client: WebSocket) => client.close()],
      [1006, (client: WebSocket) => client.terminate()],
    ])("tell once that the peer closed with %i", async (code, close) => {
      const client = await bare.open();
      close(client);
      await until(() => bare.recorder.count("close") === 1);
      await delay(20);
      expect(bare.recorder.events).toEqual([["close", code]]);
    });

    it("close with a code and a reason", async () => {
      const client = await bare.open();
      const closed = once(client, "close");
      bare.recorder.socket.close(4401, "no valid token");
      const [code, reason] = await closed;
      expect([code, String(reason)]).toEqual([4401, "no valid token"]);
      await until(() => bare.recorder.count("close") === 1);
    });

    it("can be terminated, and ignore every call after their end", async () => {
      const client = await bare.open();
      const closed = once(client, "close");
      bare.recorder.socket.terminate();
      expect((await closed)[0]).toBe(1006);
      await until(() => bare.recorder.count("close") === 1);
      const { socket } = bare.recorder;
      socket.send(new Frame("x"));
      socket.ping();
      socket.close(1000, "");
      socket.terminate();
      expect(socket.buffered).toBe(0);
      expect(socket.progress).toBeTypeOf("number");
      expect(bare.recorder.count("close")).toBe(1);
    });

    it("drop or close a peer whose message is too large, and never deliver it", async () => {
      const client = await bare.open();
      const closed = once(client, "close");
      client.send("x".repeat(1_000));
      await until(() => bare.recorder.count("text") === 1);
      client.send("x".repeat(1_001));
      // Known deviation: uWebSockets.js drops the connection instead of sending 1009.
      expect((await closed)[0]).toBe(name === "uws" ? 1006 : 1009);
      await until(() => bare.recorder.count("close") === 1);
      expect(bare.recorder.count("text")).toBe(1);
    });

    it("drop or close a peer whose text is not UTF-8, and never deliver it", async () => {
      const client = await bare.open();
      const closed = once(client, "close");
      client.send(Buffer.from([0xff, 0xfe]), { binary: false });
      // Known deviation: uWebSockets.js drops the connection instead of sending 1007.
      expect((await closed)[0]).toBe(name === "uws" ? 1006 : 1007);
      await until(() => bare.recorder.count("close") === 1);
      expect(bare.recorder.count("text")).toBe(0);
    });

    it("report when bytes wait, how many, whether some are taken, and when none waits any more; in order and complete", async () => {
      const client = await bare.open();
      client.pause();
      const { socket } = bare.recorder;
      const frame = (n: number) => new Frame(`${n}`.padEnd(60_000, "."));
      let sent = 0;
      while (socket.send(frame(sent++))) if (sent > 1_000) throw new Error("nothing ever waits");
      expect(socket.buffered).toBeGreaterThan(0);
      // The kernel takes some more at each write; after this much it has no room left.
      for (let i = 0; i < 50; i++) socket.send(frame(sent++));
      const more = socket.buffered;
      expect(socket.send(frame(sent++))).toBe(false);
      expect(socket.buffered).toBeGreaterThan(more);
      let { progress } = socket;
      await until(async () => {
        const before = progress;
        await delay(50);
        ({ progress } = socket);
        return progress === before;
      });
      // Sending more is no progress either.
      socket.send(frame(sent++));
      await delay(20);
      expect(socket.progress).toBe(progress);
      expect(bare.recorder.count("drain")).toBe(0);
      const received: number[] = [];
      client.on("message", (data) => received.push(Number.parseInt(String(data), 10)));
      client.resume();
      await until(() => received.length === sent);
      expect(received).toEqual([...Array(sent).keys()]);
      await until(() => bare.recorder.count("drain") === 1);
      expect(socket.buffered).toBe(0);
      expect(socket.progress).not.toBe(progress);
      client.terminate();
    });
  });

  it("sends frames of one socket to another in order, large and small, while a message is handled", async () => {
    const sockets: Socket[] = [];
    const size = (n: number) => [10, 40_000, 10, 2_000, 1_023, 1_024][n % 6]!;
    let sent = 0;
    bare.answer = () => ({
      ok: true,
      accept: (socket) => {
        sockets.push(socket);
        const onText = () => {
          for (const each of sockets) each.send(new Frame(`${sent}`.padEnd(size(sent), ".")));
          sent++;
        };
        return { onText, onBinary() {}, onControl() {}, onFlush() {}, onDrain() {}, onClose() {} };
      },
      abandon: () => {},
    });
    const clients = await Promise.all([bare.open(), bare.open(), bare.open()]);
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
        const webSockets = await Promise.all(Array.from({ length: 10 }, () => bare.open()));
        // Few of each address: one alone gets no more than its share.
        const rawOf = (i: number) => bare.raw("", `127.0.${wave}.${2 + Math.floor(i / 5)}`);
        const silent = await Promise.all(
          Array.from({ length: MAX_TCP_CONNECTIONS - 10 }, (_, i) => rawOf(i)),
        );
        bare.tcpRefused = 0;
        // uWebSockets.js closes a connection that has been silent for 10 s.
        for (const tcp of silent) tcp.write("G");
        const silentSince = performance.now();
        const over = await Promise.all(Array.from({ length: 20 }, (_, i) => rawOf(500 + i)));
        await Promise.all(over.map((tcp) => tcp.closed || once(tcp, "close")));
        await until(() => bare.tcpRefused === 20);
        if (performance.now() - silentSince < 8_000) {
          expect(silent.filter((tcp) => tcp.closed)).toEqual([]);
        }
        waves.push(webSockets.filter((each) => each.readyState === each.OPEN).length);
        const closed = bare.recorder.count("close");
        for (const each of webSockets) each.terminate();
        for (const each of silent) each.resetAndDestroy();
        await until(() => bare.recorder.count("close") === closed + 10);
        await Promise.all(silent.map((tcp) => tcp.closed || once(tcp, "close")));
        await delay(20);
      }
      expect(waves).toEqual([10, 10, 10]);
      expect((await fetch(bare.url("/"))).status).toBe(200);
    });
  });
  it("rejects when the port is in use", async () => {
    const options = { ...limitsOf(name), host: "127.0.0.1", port: bare.port } as TransportOptions;
    await expect(listen(name, options)).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });
});
