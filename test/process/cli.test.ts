import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHost } from "../support/cli-host.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { GatewayProcess, runCli } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";

// The built command line runs against a real gateway. `npm test` builds it first. `runCli` starts a process,
// which is done once for each way to end. Cases that differ only in their texts share a process.

const host = new CliHost();
let gateway: TestGateway;
let env: Record<string, string>;

const HOSTILE = "mallory\u202e\u2066 \u200b";

beforeAll(async () => {
  gateway = await TestGateway.start(TRANSPORTS.at(-1)!, { env: { TYPING_TIMEOUT_MS: "600000" } });
  env = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET: SECRET };
  const client = await gateway.connect();
  const c1 = { selectedConversationId: "c1" };
  await client.open({ userId: "alice", ...c1, hasFocus: true });
  await client.open({ userId: "bob", ...c1, isTyping: true, custom: { mood: "\u009b2J" } });
  await client.open({ userId: "none", selectedConversationId: "none" });
  await client.open({ userId: HOSTILE });
  await client.open({ userId: "carol", kind: "background" });
});
afterAll(async () => {
  await host.stop();
  await gateway.stop();
});

const hosted: typeof runCli = (args, environment) => host.run(args, environment);

/** Checks that the only output is one error line, without a stack and without a secret. */
async function expectError(args: readonly string[], expected: RegExp, environment = env, run = hosted) {
  const { code, output, errors } = await run(args, environment);
  expect(errors).toMatch(/^presence-gateway: [^\n]+\n$/);
  expect(errors).toMatch(expected);
  expect(errors).not.toContain(SECRET);
  expect([code, output]).toEqual([2, ""]);
}

describe("help", () => {
  it.each<[string[], RegExp]>([
    [
      ["help"],
      /serve .*\n(?:.*\n)?.*token .*\n.*query .*\n.*watch .*\n(?:.*\n)*.*status .*\n(?:.*\n)*.*crowd /,
    ],
    [["serve", "--help"], /DIFF_INTERVAL_MS .*\(50\)\n/],
    [["help", "token"], /user .*\n(?:.*\n)*.*app .*\n/],
    [["token", "user", "--help"], /--read-conversation <id\.\.\.>/],
    [["help", "query"], /Exit codes: 0 somebody matches, 1 nobody does, 2/],
    [["watch", "-h"], /"type":"snapshot"/],
    [["help", "crowd"], /--conversations <n>/],
  ])("%j", async (args, expected) => {
    const { code, output, errors } = await hosted(args);
    expect([code, errors]).toEqual([0, ""]);
    expect(output).toMatch(/^Usage: presence-gateway/);
    expect(output).toMatch(expected);
    expect(output).toMatch(/ npx presence-gateway /);
  });

  it("prints the version", async () => {
    expect(await runCli(["--version"])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("wrong usage", () => {
  it.each<[string[], RegExp]>([
    [["qurey"], /unknown command 'qurey' \(Did you mean query\?\)/],
    [["token", "usr", "alice"], /unknown command 'usr' \(Did you mean user\?\)/],
    [["watch", "--tpying"], /unknown option '--tpying' \(Did you mean --typing\?\)/],
    [["query", `--secrte=${SECRET}`], /unknown option '--secrte'\n/],
    [[SECRET], /unknown command/],
    [["query", "\x1b[2J"], /too many arguments/],
    [["\x1b[2J"], /unknown command '\\u\{1b\}\[2J'/],
    [["token", "user"], /missing required argument 'userId'/],
    [["token", "user", "a\nb"], /no control characters/],
    [["token", "app", "--expires", "soon"], /It must be such as 90s, 15m, 1h, 7d or 2w, or never/],
    [["token", "user", "a", "--read-all", "--read-user", "b"], /cannot be used with/],
    [
      ["token", "user", "a", "--read-user", ...Array.from({ length: 60 }, (_, i) => `${i}`.repeat(100))],
      /8192 at most/,
    ],
    [["query", "--focused", "--not-focused"], /cannot be used with/],
    [["query", "--filter", "{}", "--user", "alice"], /cannot be used with/],
    [["query", "--filter", "{"], /--filter must be JSON/],
    [["query", "--filter", '{"userId":"alice"}'], /userId: is not known here: did you mean userIds\?/],
    [["query", "--conversation", ""], /selectedConversationId: must have 1 to 255 characters/],
    [["watch", "--app", "a\nb"], /--app <id>' argument 'a b' is invalid/],
    [["crowd", "0"], /must be a whole number from 1 to 50000/],
    [["crowd", "5", "--users", "5"], /say how many users once/],
    [["crowd", "--rate", "fast"], /must be a whole number from 1 to 10000/],
  ])("%j", async (args, expected) => {
    await expectError(args, expected);
  });

  it("ends a process of its own with 2", async () => {
    await expectError(["qurey"], /unknown command 'qurey'/, env, runCli);
  });
});

describe("a gateway that cannot be used", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      "because no option names it",
      { PORT: "1" },
      /no gateway in development mode runs on port 1 .* set --url, --app and/,
    ],
    [
      "because there is no secret",
      { GATEWAY_URL: "http://x", APP_ID: "x" },
      /set --secret \(APP_SECRET\) or --token \(APP_TOKEN\) too/,
    ],
    [
      "because there is only a secret",
      { APP_SECRET: SECRET },
      /set --url \(GATEWAY_URL\) and --app \(APP_ID\) too/,
    ],
    [
      "because its address is not valid",
      { GATEWAY_URL: "here", APP_ID: "x", APP_SECRET: SECRET },
      /must be an address such as http/,
    ],
    [
      "because its address has a password",
      { GATEWAY_URL: `http://u:${encodeURIComponent(SECRET)}@x`, APP_ID: "x", APP_TOKEN: "x" },
      /must have no user/,
    ],
    [
      "because nothing listens there",
      { GATEWAY_URL: "http://127.0.0.1:1", APP_ID: "x", APP_SECRET: SECRET },
      /at http:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/,
    ],
  ])("%s", async (_name, environment, expected) => {
    for (const command of ["query", "watch"]) await expectError([command], expected, environment);
  });

  it("ends a process of its own with 2", async () => {
    const nowhere = { GATEWAY_URL: "http://127.0.0.1:1", APP_ID: "x", APP_SECRET: SECRET };
    for (const command of ["query", "watch", "crowd"])
      await expectError([command], /127\.0\.0\.1:1/, nowhere, runCli);
  });

  it("because it does not know the app, or refuses the secret or token", async () => {
    await expectError(
      ["query", "--app", "other"],
      /it does not know this app \(404\): check APP_ID and GATEWAY_URL/,
    );
    await expectError(["watch", "--secret", "wrong"], /it does not take this secret or token/);
    await expectError(
      ["query", "--token", "wrong"],
      /no valid token.*: check APP_ID and APP_SECRET, or APP_TOKEN/,
    );
    await expectError(["crowd", "--secret", "wrong"], /the gateway does not take this secret or token/);
    await expectError(["crowd"], /set --secret \(APP_SECRET\) too/, {
      GATEWAY_URL: gateway.url,
      APP_ID: APP,
      APP_TOKEN: "x",
    });
  });
});

describe("token", () => {
  async function claims(...args: string[]) {
    const { code, output, errors } = await hosted(["token", ...args], env);
    expect([code, errors]).toEqual([0, ""]);
    expect(output).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    return JSON.parse(Buffer.from(output.split(".")[1]!, "base64url").toString());
  }

  it("has the grants and lifetime that the options name", async () => {
    const now = Math.floor(Date.now() / 1000);
    const alice = { iss: APP, tokenType: "user", sub: "alice" };
    const { exp, ...hour } = await claims("user", "alice");
    expect(hour).toEqual(alice);
    expect(exp - now - 3_600).toBeLessThan(20);
    expect(exp - now).toBeGreaterThanOrEqual(3_600);
    expect(await claims("user", "alice", "--expires", "never", "--read-all")).toEqual({
      ...alice,
      read: "all",
    });
    const read = ["--read-user", "bob", "carol", "--read-conversation", "c1", "--read-user", "dan"];
    expect((await claims("user", "alice", ...read)).read).toEqual({
      userIds: ["bob", "carol", "dan"],
      conversationIds: ["c1"],
    });
    expect(await claims("app", "--expires", "never")).toEqual({ iss: APP, tokenType: "app" });
  });

  it("is accepted by the gateway, and grants what its claims say", async () => {
    const { output } = await runCli(["token", "user", "dan", "--read-conversation", "c1"], env);
    const socket = await gateway.socket();
    socket.send({ type: "connect", token: output.trim() });
    expect(await socket.next("connected")).toMatchObject({ userId: "dan" });
    const withToken = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_TOKEN: output.trim() };
    expect((await hosted(["query", "--conversation", "c1"], withToken)).code).toBe(0);
    expect((await hosted(["query", "--user", "dan"], withToken)).code).toBe(1);
    await expectError(["query"], /the token does not allow this filter/, withToken);
    // Options take precedence over the environment.
    expect((await hosted(["query", "--secret", SECRET], withToken)).code).toBe(0);
  });
});

describe("query", () => {
  it.each<[string[], string[]]>([
    [[], ["alice", "bob", "none", HOSTILE]],
    [["--user", "alice", "carol"], ["alice"]],
    [
      ["--user", "alice", "carol", "--background"],
      ["alice", "carol"],
    ],
    [
      ["--conversation", "c1"],
      ["alice", "bob"],
    ],
    [["--conversation", "none"], ["none"]],
    [["--no-conversation"], [HOSTILE]],
    [["--conversation", "c1", "--focused"], ["alice"]],
    [["--conversation", "c1", "--not-focused"], ["bob"]],
    [["-u", "alice", "bob", "--typing"], ["bob"]],
    [["-u", "alice", "bob", "--not-typing"], ["alice"]],
    [["--filter", '{"selectedConversationId":null,"userIds":["alice"]}'], []],
    [["--user", "alice", "--conversation", "c1", "--typing"], []],
  ])("%j", async (args, expected) => {
    const { code, output, errors } = await hosted(["query", "--json", ...args], env);
    expect(errors).toBe("");
    expect(Object.keys(JSON.parse(output).data).sort()).toEqual([...expected].sort());
    expect(code).toBe(expected.length > 0 ? 0 : 1);
  });

  it("prints the response of the HTTP API as JSON, without control characters", async () => {
    const { output } = await runCli(["query", "--json"], env);
    expect(JSON.parse(output).data).toEqual(await gateway.query());
    expect(output.trimEnd()).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
  });

  it("prints a table", async () => {
    const { output } = await runCli(["query"], env);
    const shown = "mallory\\u{202e}\\u{2066} \\u{200b}";
    const line = (cells: string[]) =>
      cells
        .map((cell, i) => cell.padEnd([shown.length, 6, 12, 5, 6, 7, 10][i]!))
        .join("  ")
        .trimEnd();
    expect(output.split("\n")).toEqual([
      line(["USER", "STATUS", "CONVERSATION", "FOCUS", "TYPING", "WIDGETS", "BACKGROUND"]),
      line(["alice", "online", "c1", "yes", "-", "1", "0"]),
      line(["bob", "online", "c1", "-", "yes", "1", "0"]),
      line([shown, "online", "-", "-", "-", "1", "0"]),
      line(["none", "online", "none", "-", "-", "1", "0"]),
      "",
    ]);
    expect(await runCli(["query", "-u", "nobody"], env)).toEqual({ code: 1, output: "nobody\n", errors: "" });
  });
});

it("without options, a command uses the gateway in development mode on this machine", async () => {
  const development = new GatewayProcess();
  try {
    const here = { PORT: String(await development.port()) };
    await development.printed(/#token=/);
    expect(await runCli(["query"], here)).toEqual({ code: 1, output: "nobody\n", errors: "" });
    const token = (await runCli(["token", "user", "alice"], here)).output.trim();
    expect((await runCli(["query", "--user", "alice", "--token", token], here)).code).toBe(1);
    await expectError(["query", "--token", token], /the token does not allow this filter/, here);
  } finally {
    await development.stop();
  }
});
