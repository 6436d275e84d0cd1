import { channel } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as ws from "ws";
import { ANONYMOUS_BURST } from "../../src/server/http/anonymous-requests.ts";
import { MAX_HEADERS, MAX_PIPELINED } from "../../src/server/transport/transport.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { dial } from "../support/raw.ts";
import { BINARY, frame, PING, PONG, RawWebSocket, TEXT } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// What somebody without credentials sends costs no more than its bytes, and what need not be read is not.
// Counted, not timed.

const ATTACKER = "127.0.0.3";

/** What takes frames apart, which is in no public type: one call for each. */
const { Receiver } = ws as unknown as { Receiver: { prototype: { getInfo(): void } } };

describe.each(TRANSPORTS)("input that need not be read, over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  async function start(env: Record<string, string> = {}): Promise<void> {
    const now = performance.now();
    gateway = await TestGateway.start(transport, { env, clock: { now: () => now, wallNow: Date.now } });
  }

  const dialGateway = () => dial(gateway.gateway.port, ATTACKER);

  const statusesIn = (text: string) =>
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));

  /** The requests that node:http makes of what comes in while something is done. */
  async function made(act: () => Promise<void>): Promise<IncomingMessage[]> {
    const requests: IncomingMessage[] = [];
    const starts = channel("http.server.request.start");
    const take = (message: unknown) => void requests.push((message as { request: IncomingMessage }).request);
    starts.subscribe(take);
    try {
      await act();
    } finally {
      starts.unsubscribe(take);
    }
    return requests;
  }

  it.each(["", "Expect: nothing\r\n", "Expect: 100-continue\r\n"])(
    "thousands of requests in one packet are not made into requests, with %j",
    async (more) => {
      await start();
      const bystander = await gateway.connect("bystander");
      const attackers = await Promise.all(Array.from({ length: 8 }, dialGateway));
      const requests = await made(async () => {
        const request = `GET /nothing HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
        for (const { tcp } of attackers) tcp.write(request.repeat(1_000));
        await until(() => attackers.every(({ isOver }) => isOver));
        await bystander.settled();
      });
      expect(requests.length).toBeLessThanOrEqual(8 * (MAX_PIPELINED + 2));
      for (const { text } of attackers) expect(new Set(statusesIn(text))).not.toContain(417);
    },
  );

  it("a request with an unknown Expect is handled and counted as any other", async () => {
    await start();
    const seen = await dialGateway();
    const ask = "GET /nothing HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\n\r\n";
    for (let asked = 0; asked < ANONYMOUS_BURST; asked += 20) {
      seen.tcp.write(ask.repeat(20));
      await until(() => statusesIn(seen.text).length === 20);
      expect(new Set(statusesIn(seen.text))).toEqual(new Set([404]));
      seen.text = "";
    }
    seen.tcp.write(ask);
    await until(() => seen.isOver);
    expect(statusesIn(seen.text)).toEqual([429]);
  });

  it("of thousands of headers few are looked at, whatever they offer", async () => {
    await start();
    const bystander = await gateway.connect("bystander");
    const headers = Array.from({ length: 5_000 }, (_, i) => `x${i}: y\r\n`).join("");
    for (const more of ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n"]) {
      const seen = await dialGateway();
      const requests = await made(async () => {
        seen.tcp.write(`GET /healthz HTTP/1.1\r\nHost: a\r\n${more}${headers}\r\n`);
        await until(() => seen.isOver);
        await bystander.settled();
      });
      expect(seen.text).toMatch(/^HTTP\/1\.1 431 /);
      // They come in lots of 32.
      for (const { rawHeaders } of requests)
        expect(rawHeaders.length).toBeLessThanOrEqual(2 * (MAX_HEADERS + 33));
    }
  });

  it("a newcomer is answered few pings, and then ended", async () => {
    await start();
    const bystander = await gateway.connect("bystander");
    const newcomer = await RawWebSocket.open(gateway.gateway.port, { path: `/v1/${APP}/realtime` });
    const pongs = () => newcomer.frames.filter(({ opcode }) => opcode === PONG).length;
    // Twenty at a time: ws drops a peer with more pongs under way, and then there is no close frame.
    for (let sent = 20; newcomer.closeFrame === undefined; sent += 20) {
      expect(sent).toBeLessThanOrEqual(300);
      newcomer.write(Buffer.concat(Array.from({ length: 20 }, () => frame({ opcode: PING }))));
      await newcomer.until(() => newcomer.closeFrame !== undefined || pongs() === sent);
    }
    expect(newcomer.closeFrame?.closed).toBe(4429);
    expect(pongs()).toBeLessThanOrEqual(150);
    newcomer.destroy();
    await bystander.settled();
  });

  it("a newcomer's messages before connect are few for an address, beside the first of each socket", async () => {
    await start();
    const path = `/v1/${APP}/realtime`;
    // What is read of each ends with an answer; 8 KB of JSON take up to a millisecond.
    const bad = frame({ payload: JSON.stringify({ type: "x", more: "x".repeat(8_000) }) });
    const ends: unknown[] = [];
    let answered = 0;
    for (let i = 0; i < 6; i++) {
      const newcomer = await RawWebSocket.open(gateway.gateway.port, { path });
      newcomer.write(Buffer.concat(Array.from({ length: 19 }, () => bad)));
      await newcomer.until(() => newcomer.frames.length === 19 || newcomer.closeFrame !== undefined);
      ends.push(newcomer.closeFrame?.closed);
      answered += newcomer.frames.filter(({ opcode }) => opcode === TEXT).length;
      newcomer.destroy();
    }
    expect(ends).toEqual([undefined, 4429, 4429, 4429, 4429, 4429]);
    // 256 KiB, and one of each.
    expect(answered).toBe(32 + 6);
    // A client with a token needs only the first message.
    const bystander = await gateway.connect("bystander");
    await bystander.settled();
  });

  it("frames after a close frame are parsed for a short time only", async () => {
    await start();
    const looks = vi.spyOn(Receiver.prototype, "getInfo");
    const newcomer = await RawWebSocket.open(gateway.gateway.port, { path: `/v1/${APP}/realtime` });
    looks.mockClear();
    const pings = Array.from({ length: 20_000 }, () => frame({ opcode: PING }));
    newcomer.write(Buffer.concat([frame({ opcode: BINARY }), ...pings]));
    await newcomer.ended;
    const looked = looks.mock.calls.length;
    looks.mockRestore();
    expect(looked).toBeLessThan(2_000);
  });

  it("a path that is longer than any route is not matched", async () => {
    await start();
    const seen = await dialGateway();
    seen.tcp.write(`GET /v1/${"%41".repeat(4_095)}/stats HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => seen.text.endsWith("}}"));
    expect(statusesIn(seen.text)).toEqual([404]);
    expect(seen.text).toContain('"reasons":{"path"');
    seen.tcp.destroy();
  });

  unless(transport === "ws" ? undefined : "uWebSockets.js has one bound for all sockets", it)(
    "a newcomer's long message is refused before it is there, in pieces, too",
    async () => {
      await start();
      const bystander = await gateway.connect("bystander");
      const path = `/v1/${APP}/realtime`;
      const long = await RawWebSocket.open(gateway.gateway.port, { path });
      long.write(frame({ payload: "{", length: 200_000n }));
      await long.until(() => long.closeFrame !== undefined);
      expect(long.closeFrame?.closed).toBe(1009);
      const slow = await RawWebSocket.open(gateway.gateway.port, { path });
      const whole = frame({ payload: " ".repeat(1_000) });
      await slow.writeSliced(Array.from(whole, (byte) => Uint8Array.of(byte)));
      await slow.until(() => slow.closeFrame !== undefined);
      expect(slow.closeFrame?.closed).toBe(1008);
      long.destroy();
      slow.destroy();
      bystander.send({
        type: "query",
        id: 1,
        filter: { userIds: ["x".repeat(200)] },
        more: "x".repeat(200_000),
      });
      expect(await bystander.next("result")).toMatchObject({ data: {} });
    },
  );
});
