import { describe, expect, it, type TestContext } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { ownPort } from "../programs/own-port.ts";
import { TestClient } from "../support/client.ts";
import { GatewayProcess } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";

const SECRET = "the secret of an app that is drained";
const DRAIN_MS = 1_500;
/** Longer than a test may take. */
const ENDLESS_MS = 3_600_000;

describe.concurrent.each(TRANSPORTS)("going down over %s", (transport) => {
  async function start({ onTestFinished }: TestContext, drainMs: number, env: Record<string, string> = {}) {
    const gateway = new GatewayProcess({
      APPS: JSON.stringify([{ id: "app", secrets: [SECRET] }]),
      HOST: "127.0.0.1",
      TRANSPORT: transport,
      DRAIN_MS: String(drainMs),
      // A port of its own, so that no other program listens on it when the gateway has gone.
      PORT: String(await ownPort()),
      ...env,
    });
    onTestFinished(() => void gateway.child.kill("SIGKILL"));
    const port = await gateway.port();
    const token = await mintToken("app", SECRET, { tokenType: "app" });
    const socketUrl = `ws://127.0.0.1:${port}/v1/app/realtime`;
    const connect = async () => {
      const client = await TestClient.open(socketUrl);
      client.send({ type: "connect", token });
      await client.next("connected");
      return client;
    };
    return { gateway, port, connect, socketUrl, headers: { authorization: `Bearer ${SECRET}` } };
  }

  it("gives every socket a delay of its own, closes it after that delay, takes no new clients, and exits with 0", async (context) => {
    const { gateway, port, connect, socketUrl, headers } = await start(context, DRAIN_MS);
    const clients = await Promise.all([...Array(50).keys()].map(connect));
    const stream = await fetch(`http://127.0.0.1:${port}/v1/app/presences/stream`, { headers });
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    const started = performance.now();
    gateway.child.kill("SIGTERM");
    const told = await Promise.all(
      clients.map(async (client) => {
        const { reconnectInMs } = await client.next("draining");
        const { code } = await client.closed;
        return { reconnectInMs, code, closedAfter: performance.now() - started };
      }),
    );
    expect(told.map(({ code }) => code)).toEqual(told.map(() => 1012));
    const delays = told.map(({ reconnectInMs }) => reconnectInMs);
    expect(new Set(delays).size).toBe(delays.length);
    expect(Math.max(...delays)).toBeLessThanOrEqual(DRAIN_MS);
    expect(Math.max(...delays)).toBeGreaterThan(DRAIN_MS / 2);
    expect(Math.min(...delays)).toBeLessThan(DRAIN_MS / 4);
    for (const { reconnectInMs, closedAfter } of told)
      expect(closedAfter).toBeGreaterThan(reconnectInMs - 50);
    expect(await stream.text()).toMatch(/^retry: \d+$/m);
    expect(await gateway.exited).toBe(0);
    await expect(TestClient.open(socketUrl)).rejects.toThrow();
    expect(gateway.output).toContain('"msg":"stopped"');
  });

  it("is not ready, but alive and answering, and refuses upgrades meanwhile", async (context) => {
    const { gateway, port, connect, socketUrl, headers } = await start(context, ENDLESS_MS);
    const clients = await Promise.all([...Array(8).keys()].map(connect));
    gateway.child.kill("SIGTERM");
    await Promise.all(clients.map((client) => client.next("draining")));
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status;
    expect(await get("/readyz")).toBe(503);
    expect(await get("/healthz")).toBe(200);
    expect(await get("/v1/app/stats")).toBe(200);
    await expect(TestClient.open(socketUrl)).rejects.toThrow(/503/);
    gateway.child.kill("SIGTERM");
    expect(await gateway.exited).toBe(0);
  });

  it("ends at once at the second signal, and when there are no clients", async (context) => {
    const { gateway, connect } = await start(context, ENDLESS_MS);
    const clients = await Promise.all([...Array(5).keys()].map(connect));
    gateway.child.kill("SIGTERM");
    await Promise.all(clients.map((client) => client.next("draining")));
    gateway.child.kill("SIGTERM");
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    expect(await gateway.exited).toBe(0);
    const { gateway: empty } = await start(context, ENDLESS_MS);
    expect(await empty.stop()).toBe(0);
  });

  it("does not take its own sleep for its clients' death", async (context) => {
    const { gateway, connect } = await start(context, 0, {
      HEARTBEAT_INTERVAL_MS: "2000",
      RESUME_WINDOW_MS: "2000",
    });
    const client = await connect();
    const sessionId = await client.open({ userId: "alice" });
    gateway.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    gateway.child.kill("SIGCONT");
    await client.settled();
    expect((await client.ask({ type: "update", sessionId, hasFocus: true })).type).toBe("ok");
    client.terminate();
  });
});
