import { describe, expect, it } from "vitest";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { frame, PONG, RawWebSocket } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// What takes its time, all at once.

describe.concurrent.each(TRANSPORTS)("with patience, over %s", (transport) => {
  it("a reader that takes nothing for ten seconds is ended, though it answers pings", async () => {
    const gateway = await TestGateway.start(transport, {
      env: { HEARTBEAT_INTERVAL_MS: "1000", DIFF_INTERVAL_MS: "1" },
    });
    const writer = await gateway.connect();
    await writer.open({ userId: "writer" });
    // A client by hand: its TCP socket is never read, and it sends a pong every second all the same.
    const token = await gateway.token({ tokenType: "app" });
    const client = await RawWebSocket.open(gateway.gateway.port, { path: `/v1/${APP}/realtime` });
    client.tcp.pause();
    client.send({ type: "connect", token });
    client.send({ type: "subscribe", id: 1, filter: {} });
    const pongs = setInterval(() => client.write(frame({ opcode: PONG })), 1_000);
    await until(() => gateway.tenant().subscriptions === 1);
    let n = 0;
    const writing = setInterval(() => {
      const wide = Object.fromEntries([...Array(7).keys()].map((i) => [`k${i}`, `${n++}`.padEnd(500, ".")]));
      for (let i = 0; i < 5; i++) writer.send({ type: "update", custom: wide });
    }, 2);
    const { telemetry } = gateway.hub;
    await until(() => telemetry.lagged > 0);
    clearInterval(writing);
    const laggedAt = performance.now();
    expect(telemetry.cut).toBe(0);
    await until(() => gateway.tenant().subscriptions === 0);
    expect(performance.now() - laggedAt).toBeLessThan(13_000);
    expect(telemetry.cut).toBe(1);
    clearInterval(pongs);
    client.destroy();
    await gateway.stop();
  });

  it("an event stream says that it is alive every 15 s, where nothing happens", async () => {
    const gateway = await TestGateway.start(transport);
    const events = await readEvents(gateway, {});
    await events.next();
    const started = performance.now();
    expect(await events.nextBlock()).toMatch(/^:/);
    expect(performance.now() - started).toBeGreaterThan(10_000);
    expect(performance.now() - started).toBeLessThan(17_000);
    await (await gateway.connect()).open({ userId: "late" });
    expect(JSON.parse((await events.next()).data).data.late.status).toBe("online");
    events.close();
    await gateway.stop();
  }, 30_000);
});
