import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SEMI_SPACE_MIB } from "../../src/server/internals/young-generation.ts";
import { CliHost } from "../support/cli-host.ts";
import { type CliRun, GatewayProcess, PROJECT, runCli } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// The built gateway runs in its own process. `npm test` builds it first.

const SECRET = "a secret that must not be in any log, whatever happens";
const APPS = JSON.stringify([{ id: "app", secrets: [SECRET] }]);
/** The gateway ends a silent connection after ten seconds, so a stop that waits for it takes as long. */
const SILENCE_MS = 9_000;

const runs: GatewayProcess[] = [];

function start(env: Record<string, string>, args: readonly string[] = []): GatewayProcess {
  const run = new GatewayProcess(env, args);
  runs.push(run);
  return run;
}

/** Starts a gateway with apps, and waits until it listens. */
async function startGateway(env: Record<string, string>): Promise<{ run: GatewayProcess; port: number }> {
  const run = start({ APPS, HOST: "127.0.0.1", DRAIN_MS: "100", ...env });
  return { run, port: await run.port() };
}

function expectRefusal({ code, output, errors }: CliRun, expected: RegExp): void {
  expect(code).toBe(1);
  // Exactly one line, without a stack.
  expect(errors).toMatch(/^presence-gateway: [^\n]+\n$/);
  expect(errors).toMatch(expected);
  expect(errors + output).not.toContain(SECRET);
}

beforeAll(() => {
  if (!existsSync(join(PROJECT, "dist/main.js"))) throw new Error("there is no dist/main.js: npm run build");
});

afterAll(async () => {
  for (const { child } of runs) child.kill("SIGKILL");
  await Promise.all(runs.map(({ exited }) => exited));
});

describe("a gateway refuses to start", () => {
  const host = new CliHost();
  afterAll(() => host.stop());

  it.each<[string, Record<string, string>, RegExp]>([
    ["a bad PORT", { PORT: "http" }, /PORT must be a whole number from 0 to 65535, but is "http"/],
    ["an APPS_FILE that does not exist", { APPS_FILE: "/nowhere/apps.json" }, /APPS_FILE .*ENOENT/],
    ["APPS that are not JSON", { APPS: `[{"id":"app","secrets":["${SECRET}"` }, /APPS is not JSON/],
    ["APPS with a wrong field", { APPS: `[{"id":"app","secret":"${SECRET}"}]` }, /APPS is not valid/],
    ["a public HOST without apps", { HOST: "0.0.0.0" }, /HOST is "0\.0\.0\.0" but there are no apps/],
  ])("with %s", async (_name, env, expected) => {
    expectRefusal(await host.run([], env), expected);
  });

  it("with an unknown command", async () => {
    expectRefusal(await runCli(["serve", "--port=1"]), /no command/);
  });

  it.each(TRANSPORTS)("over %s beside another gateway on its port", async (TRANSPORT) => {
    const { port } = await startGateway({ TRANSPORT });
    const there = { APPS, HOST: "127.0.0.1", PORT: String(port), TRANSPORT };
    expectRefusal(await runCli([], there), new RegExp(`:${port} \\(EADDRINUSE\\): .* PORT `));
  });

  it.each(TRANSPORTS)("over %s on an address of another machine", async (TRANSPORT) => {
    expectRefusal(
      await runCli([], { APPS, HOST: "192.0.2.1", TRANSPORT }),
      /192\.0\.2\.1:0 \(EADDRNOTAVAIL\): .* HOST /,
    );
  });
});

describe("a gateway", () => {
  it("reads its apps from a file, and empty variables as unset ones", async () => {
    const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
    const path = join(folder, "apps.json");
    writeFileSync(path, APPS);
    const { port } = await startGateway({ APPS: "", APPS_FILE: path, TRANSPORT: "", LOG_LEVEL: "" });
    const headers = { authorization: `Bearer ${SECRET}` };
    expect((await fetch(`http://127.0.0.1:${port}/v1/app/stats`, { headers })).status).toBe(200);
    rmSync(folder, { recursive: true });
  });

  it.each([
    ["", SEMI_SPACE_MIB],
    ["--max-semi-space-size=1", 1],
  ])("has a small young generation, or that of NODE_OPTIONS=%s", async (NODE_OPTIONS, atMost) => {
    const { port } = await startGateway({ NODE_OPTIONS });
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const bytesOf = (kind: string) => {
      const line = new RegExp(`^presence_nodejs_heap_space_size_${kind}_bytes{space="new"} (\\d+)$`, "m");
      return Number(line.exec(metrics)![1]);
    };
    // Half of it is in use or available. V8 makes it smaller when little happens.
    const mib = (bytesOf("used") + bytesOf("available")) / 2 ** 20;
    expect(mib).toBeGreaterThan(0);
    expect(mib).toBeLessThanOrEqual(atMost);
  });
});

describe.each(TRANSPORTS)("SIGTERM over %s", (TRANSPORT) => {
  async function stop(run: GatewayProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    const before = performance.now();
    expect(await run.stop(signal)).toBe(0);
    return performance.now() - before;
  }

  it("ends a gateway without clients, with 0", async () => {
    const { run } = await startGateway({ TRANSPORT });
    expect(await stop(run, "SIGINT")).toBeLessThan(SILENCE_MS);
  });

  it("ends a gateway with a client, with 0, and does not wait for idle connections or half a request", async () => {
    const { run, port } = await startGateway({ TRANSPORT });
    const sockets: Socket[] = [];
    for (const text of ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      socket.write(text);
      sockets.push(socket);
    }
    await once(sockets.at(-1)!, "data");
    const client = new WebSocket(`ws://127.0.0.1:${port}/v1/app/realtime`);
    await once(client, "open");
    const closed = once(client, "close");
    expect(await stop(run)).toBeLessThan(SILENCE_MS);
    expect((await closed)[0]).toBe(1012);
    expect(run.output).toContain('"msg":"stopped"');
    for (const socket of sockets) socket.destroy();
  });

  it("ends a gateway although the process that started it and read its output has ended", async () => {
    const starter = `
      const child = require("node:child_process").spawn(process.execPath, ["dist/main.js"]);
      child.stdout.on("data", (data) => {
        if (!String(data).includes("started")) return;
        process.stdout.write(String(child.pid), () => process.exit());
      });`;
    const env = { PATH: process.env.PATH, APPS, HOST: "127.0.0.1", PORT: "0", TRANSPORT };
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", starter], { cwd: PROJECT, env });
    const pid = Number(stdout);
    const isThere = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    expect(isThere()).toBe(true);
    process.kill(pid, "SIGTERM");
    await until(() => !isThere()).finally(() => isThere() && process.kill(pid, "SIGKILL"));
  });

  it("sent twice ends a gateway before the drain is over", async () => {
    // Longer than the time limit of this test.
    const { run, port } = await startGateway({ TRANSPORT, DRAIN_MS: "3600000" });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/app/realtime`);
    await once(socket, "open");
    run.child.kill("SIGTERM");
    await once(socket, "message");
    await stop(run);
  });
});

describe("SIGTERM", () => {
  it("reaches a gateway through npm start, which signals a shell", async () => {
    const { scripts } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
    const env = { PATH: process.env.PATH, PORT: "0" };
    const child = spawn("sh", ["-c", scripts.start], {
      cwd: PROJECT,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "close");
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    await until(() => output.includes("#token="));
    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(0);
    expect(output).toContain('"msg":"stopped"');
  });
});

describe.each(TRANSPORTS)("development mode over %s", (TRANSPORT) => {
  let run: GatewayProcess;
  let welcome: string;

  beforeAll(() => {
    run = start({ TRANSPORT });
  });
  afterAll(async () => {
    await run.stop();
  });

  /** Runs a printed line in a shell until it has printed this many lines. */
  async function paste(line: string, lines: number): Promise<string[]> {
    // A process group of its own, so the test can end the shell with everything that it started.
    const child = spawn("sh", ["-c", line], {
      cwd: PROJECT,
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const closed = once(child, "close");
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    let isOver = false;
    void closed.then(() => {
      isOver = true;
    });
    await until(() => isOver || output.split("\n").length > lines);
    if (!isOver) process.kill(-child.pid!, "SIGKILL");
    await closed;
    return output.trim().split("\n");
  }

  it("prints commands to try next", async () => {
    await run.printed(/dashboard\/#token=\S+\n/);
    welcome = run.output.slice(run.output.indexOf("\npresence-gateway runs"));
    expect(welcome).toMatch(/npm run demo/);
    expect(welcome).toMatch(/npm run watch/);
    expect(welcome).toMatch(/http:\/\/127\.0\.0\.1:\d+\/dashboard\/#token=[\w-]+\.[\w-]+\.[\w-]+\n/);
  });

  unless(whyNoTool("curl"), it)("the curl line works", async () => {
    const [line] = /curl .*/.exec(welcome)!;
    expect((await paste(line, 1)).map((text) => JSON.parse(text))).toEqual([{ data: {} }]);
  });

  it("the WebSocket line works", async () => {
    const [line] = /node -e .*/.exec(welcome)!;
    const messages = await paste(line, 2);
    const types = messages.map((text) => JSON.parse(text).type);
    expect(types).toEqual(["connected", "snapshot"]);
  });

  it("the dashboard's token is one of the app's", async () => {
    const [, url, token] = /(http:\S+)\/dashboard\/#token=(\S+)/.exec(welcome)!;
    expect((await fetch(`${url}/dashboard/`)).status).toBe(200);
    const response = await fetch(`${url}/v1/demo/stats`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
  });

  it("leads from / to the dashboard", async () => {
    const [, url] = /(http:\S+)\/dashboard\/#token=/.exec(welcome)!;
    const response = await fetch(`${url}/`, { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, "/dashboard/"]);
    expect((await fetch(`${url}/`)).headers.get("content-type")).toMatch(/^text\/html/);
  });

  it("has the same secret after a restart, so tokens and open pages go on", async () => {
    const [, token] = /#token=(\S+)/.exec(welcome)!;
    const other = start({ TRANSPORT });
    const [, url] = await other.printed(/(http:\S+)\/dashboard\/#token=/);
    const response = await fetch(`${url}/v1/demo/stats`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
    expect(await other.stop()).toBe(0);
  });

  it("ends at once with Ctrl-C, however many sockets are open", async () => {
    // Longer than this test may take.
    const other = start({ TRANSPORT, DRAIN_MS: "3600000" });
    const port = await other.port();
    const sockets = Array.from({ length: 220 }, () => {
      return new WebSocket(`ws://127.0.0.1:${port}/v1/demo/realtime`);
    });
    const closed = sockets.map(async (socket) => {
      await once(socket, "open");
      return (await once(socket, "close"))[0];
    });
    await until(() => sockets.every(({ readyState }) => readyState === WebSocket.OPEN));
    expect(await other.stop("SIGINT")).toBe(0);
    expect(new Set(await Promise.all(closed))).toEqual(new Set([1012]));
  });
});
