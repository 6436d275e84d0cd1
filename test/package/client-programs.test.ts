import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { TcpProxy } from "../support/proxy.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

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
