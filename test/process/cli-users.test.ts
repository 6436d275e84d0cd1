import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { CliHost } from "../support/cli-host.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { CliProcess, type CliRun, runCli } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// The built commands about users run against a real gateway.

const host = new CliHost();
let gateway: TestGateway;
let env: Record<string, string>;
const runs: CliProcess[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start(TRANSPORTS.at(-1)!, {
    app: { lastSeen: true, indexedCustom: ["plan"] },
  });
  env = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET: SECRET };
  const client = await gateway.connect();
  await client.open({
    userId: "alice",
    selectedConversationId: "c1",
    hasFocus: true,
    custom: { plan: "gold" },
  });
  await client.open({ userId: "bob", selectedConversationId: "c2" });
  await client.open({ userId: ".." });
});
afterEach(async () => {
  for (const { child } of runs) child.kill("SIGKILL");
  await Promise.all(runs.splice(0).map(({ exited }) => exited));
});
afterAll(async () => {
  await host.stop();
  await gateway.stop();
});

const run = (...args: string[]): Promise<CliRun> => host.run(args, env);

function start(...args: string[]): CliProcess {
  const started = new CliProcess(env, args);
  runs.push(started);
  return started;
}

it("counts, with the filters that query has", async () => {
  expect(await run("count")).toEqual({ code: 0, output: "3\n", errors: "" });
  expect(await run("count", "--custom", "plan=gold", "plan=free")).toMatchObject({ code: 0, output: "1\n" });
  expect(await run("count", "--status", "busy")).toMatchObject({ code: 1, output: "0\n" });
  const refused = await run("count", "--custom", "team=a");
  expect(refused).toMatchObject({ code: 2, output: "" });
  expect(refused.errors).toMatch(
    /^presence-gateway: the gateway refuses this: custom: .* \(BAD_REQUEST, 400\)\n$/,
  );
});

it("checks whom to notify", async () => {
  const { code, output } = await run("check", "alice", "bob", "nobody", "-c", "c1", "--focused", "--json");
  expect(code).toBe(1);
  const data = { present: ["alice"], absent: ["bob", "nobody"], statuses: { bob: "online" } };
  expect(JSON.parse(output)).toEqual({ data });
  expect((await run("check", "alice", "--custom", "plan=gold")).code).toBe(0);
});

it.each(["bob", ".."])("sets, shows and resets the status of %j", async (userId) => {
  const set = await run("status", "set", userId, "dnd", "--text", "In a meeting", "--expires", "1h");
  expect(set).toMatchObject({ code: 0, errors: "" });
  expect(set.output).toMatch(/^dnd In a meeting \(until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)\n$/);
  expect(await run("status", "get", userId)).toEqual(set);
  const { output } = await run("query", "--status", "dnd");
  expect(output.split("\n")[1]).toMatch(new RegExp(`^${userId.replaceAll(".", "\\.")} +dnd In a meeting  `));
  expect((await run("status", "reset", userId)).output).toBe("available\n");
  expect((await run("count", "--status", "dnd")).output).toBe("0\n");
});

it("writes a session until Ctrl-C, and watch shows it", async () => {
  const watching = start("watch", "--json", "--conversation", "agents");
  await until(() => watching.output.includes('"snapshot"'));
  const writing = start("write", "bot", "-c", "agents", "--typing", "--custom", "model=x");
  await until(() => watching.output.includes('"entered"'));
  await until(() => writing.output.includes("bot is there"));
  expect(watching.output).toContain('"isTyping":true');
  writing.child.kill("SIGINT");
  expect(await writing.exited).toBe(0);
  expect(writing.output).toMatch(/^bot is there, session \S+\nbot is no longer there\n$/);
  await until(() => watching.output.includes('{"type":"left","userId":"bot","cause":"closed"}'));
});

it("a killed writer's session ends with its time to live", async () => {
  const writing = start("write", "killed", "--ttl", "2s");
  await until(() => writing.output.includes("killed is there"));
  writing.child.kill("SIGKILL");
  await writing.exited;
  await until(async () => (await run("count", "--user", "killed")).output === "0\n");
});

it("forgets a user", async () => {
  expect((await run("write", "gone", "--once")).code).toBe(0);
  expect((await run("last-seen", "gone")).output).toMatch(/gone +now \(online\)/);
  expect(await runCli(["erase", "gone"], env)).toMatchObject({ code: 2, output: "" });
  expect(await run("erase", "gone", "--yes")).toMatchObject({
    code: 0,
    output: "gone is erased, 1 session has ended\n",
  });
  expect((await run("last-seen", "gone", "alice")).output).toMatch(/gone +never\nalice +now \(online\)/);
});

it("takes the credentials that HTTP takes", async () => {
  const token = await gateway.token({ tokenType: "user", sub: "alice", read: "all" });
  const refused = await run("count", "--token", token);
  expect(refused).toMatchObject({ code: 2, output: "" });
  expect(refused.errors).toContain("HTTP takes no token of a user");
  expect((await run("count", "--token", await gateway.token({ tokenType: "app" }))).code).toBe(0);
  expect((await run("count", "--secret", "wrong")).code).toBe(2);
});
