import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ownPort } from "../programs/own-port.ts";
import { CliHost } from "../support/cli-host.ts";
import { type CliRun, PROJECT, runCli } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const SECRET = "a secret that is long enough for anybody";
const APPS = JSON.stringify([{ id: "app", secrets: [SECRET] }]);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function expectOneLine({ code, output, errors }: CliRun): void {
  expect(code).toBe(1);
  expect(errors).toMatch(/^presence-gateway: [^\n\u2028\u001b\u009b]+\n$/);
  expect(output).not.toContain('"msg":"started"');
}

describe("a start with a bad environment ends with one error line", () => {
  const host = new CliHost();
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
    writeFileSync(join(folder, "empty.json"), "");
    writeFileSync(join(folder, "binary.json"), Buffer.from([0xff, 0xfe, 0, 1, 2]));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await host.stop();
  });

  it.each<[string, () => Record<string, string>]>([
    ["a folder as APPS_FILE", () => ({ APPS_FILE: folder })],
    ["an empty APPS_FILE", () => ({ APPS_FILE: join(folder, "empty.json") })],
    ["an APPS_FILE that is not text", () => ({ APPS_FILE: join(folder, "binary.json") })],
    ["APPS and APPS_FILE", () => ({ APPS, APPS_FILE: folder })],
    ["an empty list of APPS", () => ({ APPS: "[]" })],
    ["an invalid REDIS_URL", () => ({ APPS, REDIS_URL: "redis:/\u009b/user:hunter2@" })],
    ["a HOST that is every address, without apps", () => ({ HOST: "::" })],
    ["an invalid TRUST_PROXY", () => ({ APPS, TRUST_PROXY: "everybody\u009b31m" })],
    ["an unknown LOG_LEVEL", () => ({ APPS, LOG_LEVEL: "loud" })],
    ["an unknown TRANSPORT", () => ({ APPS, TRANSPORT: "quic" })],
    ["an invalid NODE_ID", () => ({ APPS, NODE_ID: "a\u0007b" })],
    ["an invalid MAX_CONNECTIONS", () => ({ APPS, MAX_CONNECTIONS: "-1" })],
  ])("%s", async (_name, env) => expectOneLine(await host.run([], env())));
});

describe.concurrent("a start that cannot listen ends with one error line", () => {
  let taken: ReturnType<typeof createServer>;
  let PORT: string;
  beforeAll(async () => {
    taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    PORT = String((taken.address() as AddressInfo).port);
  });
  afterAll(() => void taken.close());

  it.each<[string, () => Record<string, string>]>([
    ["a HOST that does not exist, over ws", () => ({ TRANSPORT: "ws", HOST: "nowhere.invalid" })],
    ["a HOST that is not a valid name", () => ({ HOST: "a b\u2028c\u001b[31m" })],
    ["a port that is in use, over ws", () => ({ TRANSPORT: "ws", HOST: "127.0.0.1", PORT })],
    ["a port that is in use", () => ({ HOST: "127.0.0.1", PORT })],
  ])("%s", async (_name, env) => {
    expectOneLine(await runCli([], { APPS, ...env() }));
  });
});

interface NodeState {
  readonly nodeId: string;
  readonly eventLoopDelayMs: { readonly p99: number; readonly max: number };
}

/** A shell function that starts a gateway. Its standard error names the process to signal. */
const GATEWAY = `gateway() { sh -c 'echo pid $$ >&2; exec "$NODE" dist/main.js'; }`;

describe.each(TRANSPORTS)("over %s, a log that cannot be written", (TRANSPORT) => {
  const pids: number[] = [];
  afterAll(() => {
    for (const pid of pids) if (isThere(pid)) process.kill(pid, "SIGKILL");
  });

  /**
   * Starts a gateway in a shell command, in which `gateway` is the program. The command redirects its
   * standard output.
   */
  async function run(command: string) {
    // Nobody reads the log line that contains the port, so the test chooses the port.
    const port = await ownPort();
    const nodeId = `node-at-${port}`;
    const env = {
      PATH: process.env.PATH,
      NODE: process.execPath,
      APPS,
      TRANSPORT,
      HOST: "127.0.0.1",
      PORT: String(port),
      NODE_ID: nodeId,
      LOG_LEVEL: "trace",
      DRAIN_MS: "100",
    };
    const child = spawn("sh", ["-c", `${GATEWAY}\n${command}`], {
      cwd: PROJECT,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (data) => {
      errors += data;
    });
    const url = `http://127.0.0.1:${port}`;
    const status = (path: string) =>
      fetch(`${url}${path}`).then(
        (answer) => answer.status,
        () => 0,
      );
    await until(async () => {
      if (child.exitCode !== null || errors.includes("presence-gateway: ")) throw new Error(errors);
      return (await status("/readyz")) === 200;
    });
    const headers = { authorization: `Bearer ${SECRET}` };
    const node = async () => (await (await fetch(`${url}/v1/app/node`, { headers })).json()) as NodeState;
    // Checks that the answer comes from the gateway of this test.
    expect(await node()).toMatchObject({ nodeId });
    return { child, errors: () => errors, url, status, node };
  }

  it.concurrent.each([
    ["goes to a full disk", "gateway > /dev/full"],
    ["goes to a pipe that is full and not read", "(head -c 65536 /dev/zero; gateway) | sleep 30"],
    ["goes to a pipe that no process reads", "(sleep 0.3; gateway) | true"],
    ["goes to a closed output", "gateway >&-"],
  ])("%s: the gateway serves, and ends when it should", async (name, command) => {
    const { child, errors, url, status, node } = await run(command);
    const pid = Number(/^pid (\d+)\n/.exec(errors())![1]);
    pids.push(pid);
    // These refusals are logged, one line per second for each reason.
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) expect(await status("/v1/app/stats")).toBe(401);
      const socket = new WebSocket(`${url.replace("http", "ws")}/v1/app/realtime`);
      socket.on("open", () => socket.send("{"));
      expect((await once(socket, "close"))[0]).toBe(4400);
      await pause(400);
    }
    expect(await status("/healthz")).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^presence_handler_crashes_total 0$/m);
    const { eventLoopDelayMs } = await node();
    process.stdout.write(`a log that ${name}, over ${TRANSPORT}: loop ${JSON.stringify(eventLoopDelayMs)}\n`);
    process.kill(pid, "SIGTERM");
    // This takes five seconds on a quiet machine. The reader of the pipe sleeps for thirty seconds.
    await until(() => !isThere(pid));
    expect(errors()).toBe(`pid ${pid}\n`);
    child.kill();
  });
});

function isThere(pid: number): boolean {
  try {
    // A process that has ended is a zombie until its parent waits for it.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
