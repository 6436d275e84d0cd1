import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

const VERSION_8 = { "Sec-WebSocket-Version": "8" };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(TRANSPORTS)("rude HTTP clients over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterEach(() => gateway.stop());

  const dial = async () => {
    const socket = connect(gateway.gateway.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };

  it("may go away in the middle of an upload: that is no crash", async () => {
    for (let i = 0; i < 5; i++) {
      const socket = await dial();
      const head = `POST /v1/${APP}/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}`;
      socket.write(`${head}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
      await pause(20);
      socket.destroy();
    }
    await pause(50);
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    expect(await gateway.query()).toEqual({});
  });

  it("may say nothing at all: the gateway does not wait for them when it stops", async () => {
    const socket = await dial();
    const before = performance.now();
    await gateway.stop();
    // Silence alone would be ended after ten seconds.
    expect(performance.now() - before).toBeLessThan(9_000);
    socket.destroy();
  });

  it.each([600_000, 3_000_000])(
    "hear 413 even when they first send all of a body of %i bytes",
    async (bytes) => {
      const answer = await gateway.http("POST", `/v1/${APP}/presences`, "x".repeat(bytes));
      expect(answer.status).toBe(413);
      expect(answer.json.errorCode).toBe("PAYLOAD_TOO_LARGE");
      expect(await gateway.query()).toEqual({});
    },
  );

  it.each(["GET /healthz", `POST /v1/${APP}/presences`])(
    "may offer another protocol with %s, which is passed over",
    async (line) => {
      const socket = await dial();
      const head = `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nContent-Type: application/json`;
      const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
      const body = line.startsWith("POST") ? '{"userIds":[]}' : "";
      const answered = once(socket, "data");
      socket.write(`${head}\r\n${offer}\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
      await pause(20);
      socket.write(body.slice(5));
      const [answer] = await answered;
      expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      socket.destroy();
    },
  );

  it("may offer another protocol again and again, and nothing of it stays on the connection", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => void warnings.push(warning);
    process.on("warning", warn);
    const socket = await dial();
    for (let i = 0; i < 15; i++) {
      socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
      const [answer] = await once(socket, "data");
      expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    }
    socket.destroy();
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  unless(transport === "ws" ? undefined : "uWebSockets.js ends them by itself", it).each([
    ["is no HTTP", "GET\r\n\r\n"],
    [
      "is no WebSocket of ours",
      upgradeRequest({ path: `/v1/${APP}/realtime`, headers: VERSION_8 }).toString(),
    ],
  ])("lose their connection after an answer to what %s, also if they go on", async (_, request) => {
    const tcp = connect({ port: gateway.gateway.port, host: "127.0.0.1", allowHalfOpen: true });
    tcp.on("error", () => {});
    await once(tcp, "connect");
    tcp.write(request);
    await once(tcp, "data");
    const going = setInterval(() => tcp.write("x"), 50);
    await until(() => tcp.closed);
    clearInterval(going);
  });

  it("cannot make up addresses in X-Forwarded-For lines before that of the proxy", async () => {
    const proxied = await TestGateway.start(transport, {
      env: { TRUST_PROXY: "127.0.0.1", MAX_CONNECTIONS_PER_IP: "2" },
    });
    const statuses: string[] = [];
    const sockets = [];
    for (let i = 0; i < 3; i++) {
      const socket = connect(proxied.gateway.port, "127.0.0.1");
      sockets.push(socket);
      socket.write(
        `GET /v1/${APP}/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 10.0.0.${i}\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n`,
      );
      const [head] = await once(socket, "data");
      statuses.push(String(head).split(" ")[1]!);
    }
    for (const socket of sockets) socket.destroy();
    await proxied.stop();
    expect(statuses).toEqual(["101", "101", "429"]);
  });
});
