import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ownPort } from "../programs/own-port.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { CliProcess, GatewayProcess, PROJECT } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

/** Users from before a restart are kept for the resume window. */
const SOON = { RESUME_WINDOW_MS: "1000" };

let gateway: TestGateway;
/** A port of its own, because the gateway starts again there. */
let PORT: string;
let env: Record<string, string>;
const runs: CliProcess[] = [];

beforeEach(async () => {
  PORT = String(await ownPort());
  gateway = await TestGateway.start("ws", { env: { PORT } });
  env = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET: SECRET };
});
afterEach(async () => {
  for (const { child } of runs) child.kill("SIGKILL");
  await Promise.all(runs.splice(0).map(({ exited }) => exited));
  await gateway.stop();
});

function watch(...args: string[]): CliProcess {
  const run = new CliProcess(env, ["watch", ...args]);
  runs.push(run);
  return run;
}

function lines(run: CliProcess) {
  return run.output
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

it("--json prints a snapshot and then every change, also across a restart of the gateway", async () => {
  const client = await gateway.connect();
  await client.open({ userId: "alice", selectedConversationId: "c1" });
  const run = watch("--json", "--conversation", "c1");
  await until(() => lines(run).length === 1);
  expect(lines(run)[0]).toEqual({
    type: "snapshot",
    data: await gateway.query({ selectedConversationId: "c1" }),
  });

  const sessionId = await client.open({ userId: "__proto__", selectedConversationId: "c1" });
  await until(() => lines(run).length === 2);
  await client.ask({ type: "update", sessionId, isTyping: true });
  await until(() => lines(run).length === 3);
  await client.ask({ type: "close", sessionId });
  await until(() => lines(run).length === 4);
  const session = { sessionId, selectedConversationId: "c1", hasFocus: false, isTyping: false, custom: {} };
  const value = { status: "online", backgroundSessions: [], widgets: [session] };
  expect(lines(run).slice(1)).toEqual([
    { type: "entered", userId: "__proto__", value },
    { type: "updated", userId: "__proto__", value: { ...value, widgets: [{ ...session, isTyping: true }] } },
    { type: "left", userId: "__proto__", cause: "closed" },
  ]);

  await gateway.stop();
  await until(() => lines(run).length >= 5);
  expect(lines(run)[4]).toMatchObject({ type: "status", status: "reconnecting" });
  gateway = await TestGateway.start("ws", { env: { PORT, ...SOON } });
  await (await gateway.connect()).open({ userId: "bob", selectedConversationId: "c1" });
  const isThere = (what: string, who: string) =>
    lines(run).some(({ type, userId }) => type === what && userId === who);
  await until(() => isThere("left", "alice") && isThere("entered", "bob"));
  // The command may have tried more than once.
  const since = lines(run).slice(lines(run).findIndex(({ status }) => status === "connected"));
  expect(since[0]).toEqual({ type: "status", status: "connected" });
  expect(since.slice(1)).toContainEqual({ type: "left", userId: "alice", cause: "timeout" });
  expect(since.slice(1)).toContainEqual(expect.objectContaining({ type: "entered", userId: "bob" }));
  expect(await run.stop("SIGTERM")).toBe(0);
  expect(run.errors).toBe("");
});

it("prints plain lines without a terminal, and ends with 0 on a signal", async () => {
  const client = await gateway.connect();
  await client.open({ userId: "alice", selectedConversationId: "c1", hasFocus: true });
  const run = watch();
  await run.printed(/is there/);
  await client.open({ userId: "bob\u202e", isTyping: true });
  await run.printed(/bob/);
  await gateway.http("DELETE", `/v1/${APP}/users/alice/sessions`);
  await run.printed(/left/);
  expect(await run.stop("SIGINT")).toBe(0);
  expect(run.output.replace(/^\d\d:\d\d:\d\d /gm, "")).toBe(
    "alice is there: c1, focus\nbob\\u{202e} entered: -, typing\nalice left: kicked\n",
  );
});

it("ends with 2 and an error line when its token is no longer valid", async () => {
  const { output } = await new Promise<CliProcess>((resolve) => {
    const run = new CliProcess(env, ["token", "user", "alice", "--expires", "2s"]);
    void run.exited.then(() => resolve(run));
  });
  env = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_TOKEN: output.trim() };
  const run = watch("--user", "alice");
  expect(await run.exited).toBe(2);
  expect(run.errors).toMatch(/^presence-gateway: .*(token).*\n$/);
  expect(run.errors).not.toContain(output.trim());
});

it("ends quietly when the reader of its output has ended", async () => {
  const client = await gateway.connect();
  const command = "node dist/main.js watch --json; echo $? >&2";
  const piped = promisify(execFile)("sh", ["-c", `(${command}) | head -1`], {
    cwd: PROJECT,
    env: { PATH: process.env.PATH, ...env },
  });
  let isOver = false;
  void piped.finally(() => {
    isOver = true;
  });
  // The command notices the missing reader at its next write.
  while (!isOver) {
    await client.open({ userId: "alice" });
    await client.settled();
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const { sessionId } of gateway.presence().table.user("alice")?.sessions ?? []) {
      await client.ask({ type: "close", sessionId });
    }
  }
  const { stdout, stderr } = await piped;
  expect(stdout.split("\n")).toHaveLength(2);
  expect(JSON.parse(stdout)).toMatchObject({ type: "snapshot" });
  expect(stderr).toBe("0\n");
});

it("continues when a gateway in development mode starts again with a new secret", async () => {
  const there = { PORT: String(await ownPort()), DRAIN_MS: "0" };
  let development = new GatewayProcess(there);
  try {
    await development.printed(/#token=/);
    env = { PORT: there.PORT };
    const run = watch("--json");
    await run.printed(/snapshot/);
    await development.stop();
    await run.printed(/reconnecting/);
    development = new GatewayProcess(there);
    await run.printed(/"connected"/);
    expect(await run.stop()).toBe(0);
  } finally {
    await development.stop();
  }
});

unless(
  whyNoTool("script", (version) => version.includes("util-linux")),
  it,
)("draws a table on a terminal, obeys nobody else there, and gives it back as it was", async () => {
  const client = await gateway.connect();
  await client.open({ userId: "alice", selectedConversationId: "c1", hasFocus: true });
  await client.open({ userId: "evil\u202e", selectedConversationId: "\u2066" });
  for (let i = 0; i < 20; i++) await client.open({ userId: `user-${i}` });
  const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
  // A background job makes the window smaller when a file exists.
  const resize = `until [ -e '${folder}/now' ]; do sleep 0.1; done; stty cols 60 rows 8 </dev/tty`;
  const command = `stty cols 70 rows 12; (${resize}) & exec '${process.execPath}' dist/main.js watch`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: PROJECT,
    env: { PATH: process.env.PATH, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.on("close", resolve));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  try {
    await until(() => output.includes("and 15 more"));
    // The next frame may have begun.
    const end = output.indexOf("and 15 more");
    const frame = output.slice(output.lastIndexOf("\x1b[H", end), end);
    expect(frame).toMatch(/alice +online +c1 +yes/);
    expect(frame).toMatch(/evil\\u\{202e\} +online +\\u\{2066\}/);
    writeFileSync(join(folder, "now"), "");
    await until(() => output.includes("and 19 more"));
    await gateway.stop();
    await until(() => output.includes("reconnecting ("));
    gateway = await TestGateway.start("ws", { env: { PORT, ...SOON } });
    await until(() => /0 online/.test(output));
    // Ctrl-C, as a terminal sends it.
    child.stdin.write("\x03");
    expect(await exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
  expect(output).toMatch(/^\x1b\[\?1049h/);
  expect(output.replace(/\^C/, "")).toMatch(/\x1b\[\?25h\x1b\[\?1049l$/);
  const rest = output.replace(/\x1b\[(\?(1049|25|7|2026)[hl]|H|J|K|0m|1m)|\r+\n/g, "");
  expect(rest).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
});
