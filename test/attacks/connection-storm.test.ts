import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type StrangerConnection, TcpSlots } from "../../src/server/gateway/tcp-slots.ts";
import { jsonResponse } from "../../src/server/http/exchange.ts";
import type { Transport } from "../../src/server/transport/transport.ts";
import { listenWs } from "../../src/server/transport/ws/ws.ts";
import { ownPort } from "../programs/own-port.ts";
import { limitsOf } from "../support/transport-options.ts";
import { until } from "../support/until.ts";

// On `ws`, Node takes one connection in a turn of the event loop. So a client that opens thousands a
// second makes others wait, the longer the more each costs. uWebSockets.js accepts all that wait.

const ATTACKER = "127.0.0.66";
const BYSTANDER = "127.0.0.4";
const PROXY = "127.0.0.9";
const PER_SECOND = 20;

/** Tells which peers were counted. */
class WatchedSlots extends TcpSlots {
  readonly peers: string[] = [];
  override open(peer: string, connection?: StrangerConnection) {
    this.peers.push(peer);
    return super.open(peer, connection);
  }
}

let clock: { now: number };
let tcp: WatchedSlots;
let refusals: string[];
let crashes: unknown[];
let transport: Transport;

beforeEach(async () => {
  clock = { now: 0 };
  refusals = [];
  crashes = [];
  tcp = new WatchedSlots({
    maxConnections: 1_000,
    maxPerAddress: 500,
    perSecondOfAddress: PER_SECOND,
    isProxy: (peer) => peer === PROXY,
    knowsConnections: true,
    now: () => clock.now,
  });
  transport = await listenWs({
    host: "127.0.0.1",
    port: await ownPort(),
    maxMessageBytes: 1_000,
    maxBufferedBytes: 1_048_576,
    ...limitsOf("ws"),
    tcp,
    tcpRefused: (refusal) => refusals.push(refusal),
    upgrade: () => ({
      ok: true,
      accept: () => ({
        onText() {},
        onBinary() {},
        onControl() {},
        onFlush() {},
        onDrain() {},
        onClose() {},
      }),
      abandon() {},
    }),
    handle: (request) => {
      if (request.headers.authorization !== undefined) request.authorized();
      return jsonResponse(200, {});
    },
    clientAddress: (peer) => peer,
    crashed: (error) => crashes.push(error),
  });
});
afterEach(async () => {
  await transport.close();
  expect(crashes).toEqual([]);
  expect(tcp.connections).toBe(0);
});

/** Asks over a connection of its own: the status, or how the connection ended without one. */
async function ask(localAddress: string, header = "Connection: close"): Promise<string> {
  const { port } = transport;
  const client = connect({ port, host: "127.0.0.1", localAddress });
  client.end(`GET / HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
  let text = "";
  let ended = "ended";
  client.setEncoding("latin1");
  client.on("data", (chunk: string) => {
    text += chunk;
  });
  client.on("error", ({ code }: NodeJS.ErrnoException) => {
    ended = code ?? "error";
  });
  await new Promise((resolve) => client.on("close", resolve));
  return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? ended;
}

/** How often each answer came. */
async function count(localAddress: string, times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const answers = await Promise.all(Array.from({ length: times }, () => ask(localAddress)));
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

async function upgrade(localAddress: string): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${transport.port}/v1/app/realtime`, { localAddress });
  await once(webSocket, "open");
  return webSocket;
}

it("strangers of one address beyond the rate are reset; other addresses and open connections are not", async () => {
  const early = await upgrade(ATTACKER);
  const answers = await count(ATTACKER, 100);
  expect(answers["200"]).toBe(2 * PER_SECOND);
  expect(refusals).toEqual(Array.from({ length: 100 - 2 * PER_SECOND }, () => "too_often"));
  expect(await count(BYSTANDER, 10)).toEqual({ "200": 10 });
  const friend = await upgrade(BYSTANDER);
  // Whoever shares the attacker's address gets in when the rate has room again.
  clock.now += 1_000;
  const neighbour = await upgrade(ATTACKER);
  expect((await count(ATTACKER, 100))["200"]).toBe(PER_SECOND);
  for (const each of [early, friend, neighbour]) expect(each.readyState).toBe(WebSocket.OPEN);
  for (const each of [early, friend, neighbour]) each.terminate();
  await until(() => tcp.connections === 0);
});

it("who shows credentials over each connection may open as many as it likes", async () => {
  for (let i = 0; i < 100; i++) expect(await ask(ATTACKER, "Authorization: Bearer x")).toBe("200");
  expect(refusals).toEqual([]);
  await until(() => tcp.connections === 0);
});

it("a proxy of ours opens as many as it likes", async () => {
  expect(await count(PROXY, 100)).toEqual({ "200": 100 });
  expect(refusals).toEqual([]);
  await until(() => tcp.connections === 0);
});

it("connections that were reset before they were taken are neither counted nor answered", async () => {
  // This process does nothing else meanwhile, so all of them wait, and all are over when it looks at the
  // first.
  const storm = `
    const { connect } = require("node:net");
    const all = [];
    let open = 0;
    for (let i = 0; i < 200; i++) {
      const tcp = connect({ port: ${transport.port}, host: "127.0.0.1", localAddress: "${ATTACKER}" });
      all.push(tcp.on("connect", () => {
        if (++open === 200) for (const each of all) each.resetAndDestroy();
      }));
    }`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", storm], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  // The queue is in order: all of the attacker's are gone when the bystander has an answer.
  expect(await count(BYSTANDER, 1)).toEqual({ "200": 1 });
  expect(tcp.peers).toEqual([BYSTANDER]);
  expect(refusals).toEqual([]);
  await until(() => tcp.connections === 0);
});
