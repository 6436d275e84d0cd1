import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { readEvents } from "../support/events.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { frame, PONG, RawWebSocket } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

describe.each(TRANSPORTS)("with patience, over %s", (transport) => {
  it("a reader that takes nothing for ten seconds is ended, though it answers pings", async () => {
    const clock = new HandClock();
    const env = { HEARTBEAT_INTERVAL_MS: "1000", DIFF_INTERVAL_MS: "1" };
    const gateway = await TestGateway.start(transport, { clock, env });
    const writer = await gateway.connect();
    await writer.open({ userId: "writer" });
    // A client by hand: its TCP socket is never read, and it sends a pong every half second all the same.
    const token = await gateway.token({ tokenType: "app" });
    const client = await RawWebSocket.open(gateway.gateway.port, { path: `/v1/${APP}/realtime` });
    client.tcp.pause();
    client.send({ type: "connect", token });
    client.send({ type: "subscribe", id: 1, filter: {} });
    await until(() => gateway.presence().subscriptions === 1);
    const { telemetry } = gateway.node;
    for (let n = 0; telemetry.lagged === 0; n++) {
      if (n > 5_000) throw new Error("nobody ever lags");
      const wide = Object.fromEntries([...Array(7).keys()].map((i) => [`k${i}`, `${n}`.padEnd(500, ".")]));
      await writer.ask({ type: "update", custom: wide });
      clock.turn(gateway, 1);
      if (n % 100 === 0) client.write(frame({ opcode: PONG }));
    }
    // In the kernel bytes move on for a moment, and sometimes later. Each time the reader has taken some.
    await delay(500);
    let waited = 0;
    for (; telemetry.slowReadersDisconnected === 0 && waited < 120_000; waited += 500) {
      client.write(frame({ opcode: PONG }));
      // What the gateway reads after it, or with it.
      for (let i = 0; i < 2; i++) await writer.settled();
      clock.turn(gateway, 500);
    }
    expect(telemetry.slowReadersDisconnected).toBe(1);
    expect(gateway.presence().subscriptions).toBe(0);
    expect(waited).toBeGreaterThan(8_000);
    client.destroy();
    await gateway.stop();
  });

  it("bodies that come without an end do not keep the gateway from stopping", async () => {
    const gateway = await TestGateway.start(transport);
    const uploads = await Promise.all(
      [SECRET, "wrong"].map(async (secret) => {
        const tcp = connect(gateway.gateway.port, "127.0.0.1");
        tcp.on("error", () => {});
        await once(tcp, "connect");
        const head = `POST /v1/${APP}/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}`;
        tcp.write(`${head}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
        // As fast as uWebSockets.js asks for, and far below the limit within its patience.
        const going = setInterval(() => tcp.write(`400\r\n${" ".repeat(1_024)}\r\n`), 40);
        onTestFinished(() => {
          clearInterval(going);
          tcp.destroy();
        });
        return tcp;
      }),
    );
    await until(() => uploads.every((tcp) => tcp.bytesWritten > 5_000));
    await gateway.stop();
  });

  it("an event stream sends a sign of life every 15 s while nothing happens", async () => {
    const clock = new HandClock();
    const gateway = await TestGateway.start(transport, { clock });
    const events = await readEvents(gateway, {});
    await events.next();
    for (let times = 0; times < 2; times++) {
      let has: string | undefined;
      const block = events.nextBlock().then((text) => {
        has = text;
      });
      clock.turn(gateway, 14_999);
      for (let i = 0; i < 3; i++) await gateway.query({});
      expect(has).toBeUndefined();
      clock.turn(gateway, 1);
      await block;
      expect(has).toMatch(/^:/);
    }
    const client = await gateway.connect();
    await client.open({ userId: "late" });
    expect(JSON.parse((await events.next()).data).data.late.status).toBe("online");
    events.close();
    await gateway.stop();
  });
});
