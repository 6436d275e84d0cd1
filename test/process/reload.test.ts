import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppConfig } from "../../src/server/auth/app.ts";
import { mintToken } from "../../src/server/auth/mint.ts";
import { TestClient } from "../support/client.ts";
import { GatewayProcess } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// The built gateway runs in its own process. `npm test` builds it first.

const SECRET = "cAnArY a secret that must not be in any log, whatever happens";
const NEXT_SECRET = "cAnArY the secret that it moves to, which must not be there either";

const app = (id: string, ...secrets: string[]): AppConfig => ({ id, secrets });
const FIRST = [app("first", SECRET)];

interface Running {
  readonly run: GatewayProcess;
  readonly url: string;
}

const runs: GatewayProcess[] = [];
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "reload-"));
});
afterAll(async () => {
  for (const { child } of runs) child.kill("SIGKILL");
  await Promise.all(runs.map(({ exited }) => exited));
  rmSync(folder, { recursive: true });
});

function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

const SIGNALS_ITSELF = moduleOf(`export function load(url, context, next) {
  if (url.endsWith("/cli/program.js")) process.kill(process.pid, "SIGHUP");
  return next(url, context);
}`);
const PRELOAD = moduleOf(`import { register } from "node:module"; register("${SIGNALS_ITSELF}");`);

async function start(env: Record<string, string>): Promise<Running> {
  const run = new GatewayProcess({ HOST: "127.0.0.1", DRAIN_MS: "0", METRICS_TOKEN: "metrics", ...env });
  runs.push(run);
  return { run, url: `http://127.0.0.1:${await run.port()}` };
}

async function statusOf({ url }: Running, appId: string, secret: string): Promise<number> {
  const headers = { authorization: `Bearer ${secret}` };
  const response = await fetch(`${url}/v1/${appId}/stats`, { headers });
  await response.arrayBuffer();
  return response.status;
}

async function metric({ url }: Running, name: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: "Bearer metrics" } });
  return Number(new RegExp(`^presence_${name} (\\d+)$`, "m").exec(await response.text())![1]);
}

describe.each(TRANSPORTS)("a gateway with APPS_FILE, over %s", (transport) => {
  let running: Running;
  let path: string;
  const write = (apps: readonly AppConfig[], to = path) => writeFileSync(to, JSON.stringify(apps));
  const serves = (appId: string, secret = SECRET) =>
    until(async () => (await statusOf(running, appId, secret)) === 200);

  beforeAll(async () => {
    // As Kubernetes mounts a ConfigMap: the name is a link into a folder that is itself a link.
    const mount = mkdtempSync(join(folder, "mount-"));
    mkdirSync(join(mount, "..2026_1"));
    write(FIRST, join(mount, "..2026_1", "apps.json"));
    symlinkSync("..2026_1", join(mount, "..data"));
    symlinkSync(join("..data", "apps.json"), join(mount, "apps.json"));
    path = join(mount, "apps.json");
    running = await start({ TRANSPORT: transport, APPS_FILE: path });
  });

  it("sees a change that is made in place", async () => {
    write([...FIRST, app("in-place", SECRET)]);
    await serves("in-place");
    expect(await statusOf(running, "first", SECRET)).toBe(200);
  });

  it("sees a link that leads elsewhere", async () => {
    const mount = join(path, "..");
    mkdirSync(join(mount, "..2026_2"));
    write([...FIRST, app("swapped", SECRET)], join(mount, "..2026_2", "apps.json"));
    symlinkSync("..2026_2", join(mount, "..data_tmp"));
    renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
    await serves("swapped");
    expect(await statusOf(running, "in-place", SECRET)).toBe(404);
  });

  it("logs a bad or half-written file once, which changes nothing, and takes the next good one", async () => {
    const good = JSON.stringify([...FIRST, app("whole", SECRET)]);
    const failures = await metric(running, "app_reload_failures_total");
    for (const [i, bad] of [
      "",
      good.slice(0, -3),
      JSON.stringify([app("first"), app("whole", SECRET)]),
    ].entries()) {
      writeFileSync(path, bad);
      await until(async () => (await metric(running, "app_reload_failures_total")) > failures + i);
      expect(await statusOf(running, "first", SECRET)).toBe(200);
      expect(await statusOf(running, "whole", SECRET)).toBe(404);
    }
    await running.run.printed(/"reason":"APPS_FILE is not JSON[^\n]*"msg":"cannot read the apps anew/);
    await running.run.printed(/"reason":"APPS_FILE is not valid at 0\.secrets/);
    writeFileSync(path, good);
    await serves("whole");
  });

  it("sees a file that is replaced, also after a while without one", async () => {
    rmSync(path);
    await running.run.printed(/"reason":"the file cannot be read \(ENOENT\)"/);
    expect(await statusOf(running, "first", SECRET)).toBe(200);
    write([...FIRST, app("renamed", SECRET)], `${path}.new`);
    renameSync(`${path}.new`, path);
    await serves("renamed");
  });

  it("closes the sockets of a removed secret, and goes on with the others", async () => {
    const connect = async (secret: string) => {
      const client = await TestClient.open(`${running.url.replace("http", "ws")}/v1/first/realtime`);
      client.send({ type: "connect", token: await mintToken("first", secret, { tokenType: "app" }) });
      await client.next("connected");
      return client;
    };
    write([app("first", SECRET, NEXT_SECRET)]);
    await serves("first", NEXT_SECRET);
    const [before, after] = [await connect(SECRET), await connect(NEXT_SECRET)];
    write([app("first", NEXT_SECRET)]);
    expect((await before.closed).code).toBe(4401);
    await after.settled();
    after.terminate();
  });

  it("reads the file at SIGHUP, also if it is the same", async () => {
    const reloads = await metric(running, "app_reloads_total");
    running.run.child.kill("SIGHUP");
    await until(async () => (await metric(running, "app_reloads_total")) > reloads);
    await running.run.printed(/"added":0,"changed":0,"removed":0,"msg":"read the apps anew"/);
  });

  it("has printed no secret", () => {
    expect(running.run.output + running.run.errors).not.toContain("cAnArY");
  });
});

it("SIGHUP changes nothing where there is no file", async () => {
  const running = await start({ APPS: JSON.stringify(FIRST) });
  running.run.child.kill("SIGHUP");
  await running.run.printed(/SIGHUP changes nothing: there is no APPS_FILE/);
  expect(await statusOf(running, "first", SECRET)).toBe(200);
  expect(await metric(running, "app_reloads_total")).toBe(0);
  expect(await running.run.stop()).toBe(0);
});

it("SIGHUP is no end even for a gateway that is about to start", async () => {
  const path = join(folder, "early.json");
  writeFileSync(path, JSON.stringify(FIRST));
  const run = new GatewayProcess({ HOST: "127.0.0.1", DRAIN_MS: "0", APPS_FILE: path });
  runs.push(run);
  // The first line comes before the gateway listens.
  await run.printed(/"level":30/);
  run.child.kill("SIGHUP");
  await run.printed(/"msg":"read the apps anew"/);
  expect(await run.stop()).toBe(0);
});

it.each(["1", "2"])("SIGHUP is no end while code is still being loaded, with WORKERS=%s", async (WORKERS) => {
  const path = join(folder, "loading.json");
  writeFileSync(path, JSON.stringify(FIRST));
  const run = new GatewayProcess({
    HOST: "127.0.0.1",
    DRAIN_MS: "0",
    APPS_FILE: path,
    WORKERS,
    // Each process of the gateway gets the signal when it is about to load the first large module.
    NODE_OPTIONS: `--import=${PRELOAD}`,
  });
  runs.push(run);
  // Workers that start later get what has just been read.
  await run.printed(WORKERS === "1" ? /"msg":"read the apps anew"/ : /"msg":"all workers are ready"/);
  expect(run.output).not.toContain("a worker has ended");
  expect(await run.stop()).toBe(0);
});
