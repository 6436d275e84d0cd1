import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDLE_VIEW_MS } from "../../src/core/views/view-registry.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { TcpProxy } from "../support/proxy.ts";
import { TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const CYCLES = 200;

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe.each(TRANSPORTS)("over %s, a client that is closed", (transport) => {
  let skippedMs = 0;
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      env: { MAX_CONNECTS_PER_SECOND: "100000" },
      // Turned forward at the end, to let go of idle views.
      clock: { now: () => performance.now() + skippedMs, wallNow: Date.now },
    });
  });
  afterAll(() => gateway.stop());

  it(`leaves nothing here nor there, ${CYCLES} times`, async () => {
    const token = await gateway.token({ tokenType: "app" });
    const cycle = async (number: number) => {
      const { client } = new TestSdk(gateway.url, token);
      const session = client.open({ kind: "widget", userId: `user-${number % 7}`, custom: { a: "1" } });
      const subscription = client.subscribe({ userIds: [`user-${number % 7}`] }, () => {});
      session.typing();
      // At every point of its life.
      if (number % 5 > 0) await subscription.connected;
      if (number % 5 > 1) await client.query({ isTyping: true });
      if (number % 5 > 2) session.close();
      if (number % 5 > 3) subscription.unsubscribe();
      await client.close();
    };
    await cycle(4);
    await delay(200);
    const before = timers();
    for (let i = 0; i < CYCLES; i += 20)
      await Promise.all(Array.from({ length: 20 }, (_, k) => cycle(i + k)));
    await until(() => timers() <= before);
    await until(() => gateway.node.debugCounts().managedConnections === 0);
    for (let i = 0; i < 3; i++) {
      skippedMs += IDLE_VIEW_MS;
      gateway.node.run(performance.now() + skippedMs);
    }
    const leftovers = { ...gateway.node.debugCounts(), ...gateway.presence().debugCounts() };
    expect(leftovers).toEqual(Object.fromEntries(Object.keys(leftovers).map((name) => [name, 0])));
  });
});

/**
 * A program of its own, as an app would write it, with the built package. `onReady` is called when it prints
 * `ready`.
 */
async function program(body: string, url: string, token: string, onReady = () => {}) {
  const text = `
    import { WebSocket } from "ws";
    import { createClient } from "@presence-gateway/client";
    const client = createClient({ url: "${url}", appId: "${APP}", token: ${token}, WebSocket });
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", text], { cwd: PROJECT });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (data) => {
    output += data;
    if (output.includes("ready")) onReady();
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (data) => {
    errors += data;
  });
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { code: code ?? signal, output, errors };
}

describe("a program", () => {
  let gateway: TestGateway;
  let token: string;
  beforeAll(async () => {
    gateway = await TestGateway.start("ws");
    token = JSON.stringify(await gateway.token({ tokenType: "app" }));
  });
  afterAll(() => gateway.stop());

  it.concurrent("ends by itself once it has closed its client", async () => {
    const body = `
      const session = client.open({ kind: "widget", userId: "ends" });
      const subscription = client.subscribe({}, () => {});
      await subscription.connected;
      session.typing();
      subscription.unsubscribe();
      await client.close();`;
    const { code, errors } = await program(body, gateway.url, token);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    await until(() => gateway.presence().sockets === 0);
  });

  it.concurrent("ends by itself while its token never comes, and when it never needed anything", async () => {
    const idle = program("", gateway.url, token);
    const waiting = program(
      `client.subscribe({}, () => {}); setTimeout(() => client.close(), 100);`,
      gateway.url,
      "() => new Promise(() => {})",
    );
    expect([(await idle).code, (await waiting).code]).toEqual([0, 0]);
  });

  it.concurrent("ends by itself soon also where nobody answers its goodbye, nor did before", async () => {
    const proxy = await TcpProxy.start(gateway.gateway.port);
    const body = `
      await client.subscribe({}, () => {}).connected;
      console.log("ready");
      await new Promise((resolve) => setTimeout(resolve, 500));
      const at = performance.now();
      process.on("exit", () => console.log(Math.round(performance.now() - at)));
      await client.close();`;
    const { code, output } = await program(body, `http://127.0.0.1:${proxy.port}`, token, () =>
      proxy.blackhole(true),
    );
    expect(code).toBe(0);
    // The library by itself would wait for half a minute.
    expect(Number(output.split("\n")[1])).toBeLessThan(20_000);
    await proxy.stop();
  });

  it.concurrent("whose listener throws is told of it, and the other listeners of what happened", async () => {
    const body = `
      const thrown = [];
      process.on("uncaughtException", (error) => thrown.push(error.message));
      const bad = (name) => () => { throw new Error(name); };
      let told = 0;
      client.on("status", bad("status"));
      client.on("status", () => told++);
      const first = client.subscribe({}, bad("first"));
      const subscription = client.subscribe({ userIds: ["nobody"] }, (snapshot) => told += snapshot.size + 10);
      client.subscribe({ userIds: 5 }, () => {}, { onError: bad("error") });
      client.open({ kind: "wrong", userId: "x", onEnd: bad("end") });
      await Promise.all([first.connected, subscription.connected]);
      await client.query({});
      await client.close();
      console.log(JSON.stringify({ told, thrown: [...new Set(thrown)].sort() }));`;
    const { code, output } = await program(body, gateway.url, token);
    expect(code).toBe(0);
    expect(JSON.parse(output)).toEqual({ told: 13, thrown: ["end", "error", "first", "status"] });
  });
});
