import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TestClient } from "../support/client.ts";
import { GatewayProcess, PROJECT } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";

const README = readFileSync(join(PROJECT, "README.md"), "utf8");
const blocks = (language: string) =>
  [...README.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map((match) => match[1]!.trim());
const APPS = /APPS='(.*?)' npm start/.exec(README)![1]!;
const CURLS = blocks("sh").filter((block) => block.startsWith("curl"));
const SCRIPTS = Object.keys(JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")).scripts);

/** So long that typing does not end because a test is slow. */
const ENV = { HOST: "127.0.0.1", TYPING_TIMEOUT_MS: "3600000" };

const AsyncFunction = (async () => {}).constructor as new (
  ...source: string[]
) => (...args: unknown[]) => Promise<unknown>;
const withoutImports = (code: string) => code.replace(/^import .*$/gm, "");

describe("the README's examples", () => {
  let gateway: GatewayProcess;
  let port: number;
  let client: TestClient;
  const local = (text: string) => text.replaceAll(":8080", `:${port}`);

  beforeAll(async () => {
    gateway = new GatewayProcess({ APPS, ...ENV });
    port = await gateway.port();
  });
  afterAll(async () => {
    client?.terminate();
    await gateway.stop();
  });

  it("make a token, and show alice typing to herself over a WebSocket", async () => {
    const [socketCode, tokenCode] = blocks("js");
    const token = await new AsyncFunction("SignJWT", `${withoutImports(tokenCode!)}; return token`)(SignJWT);
    const received: { type: string; data?: unknown }[] = [];
    const code = `${local(socketCode!)}; return socket`;
    const console = { log: (text: string) => received.push(JSON.parse(text)) };
    const socket = (await new AsyncFunction("WebSocket", "token", "console", code)(
      WebSocket,
      token,
      console,
    )) as WebSocket;
    await expect
      .poll(() => received.map(({ type }) => type))
      .toEqual(["connected", "opened", "snapshot", "diff"]);
    expect(received.at(-1)!.data).toMatchObject({ alice: { widgets: [{ isTyping: true }] } });
    socket.close();
    await expect.poll(() => socket.readyState).toBe(WebSocket.CLOSED);
  });

  unless(whyNoTool("curl"), it)("query and watch with curl", async () => {
    client = await TestClient.open(`ws://127.0.0.1:${port}/v1/my-app/realtime`);
    const token = await new SignJWT({ tokenType: "app", iss: "my-app" })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(JSON.parse(APPS)[0].secrets[0]));
    client.send({ type: "connect", token });
    const fields = { selectedConversationId: "c1", hasFocus: true, isTyping: true };
    const sessionId = await client.open({ userId: "alice", ...fields });
    const shown = JSON.parse(blocks("json")[0]!);
    shown.data.alice.widgets[0].sessionId = sessionId;
    expect(CURLS).toHaveLength(3);
    for (const curl of CURLS) {
      // curl ends with 28 when --max-time ends a stream.
      const { stdout } = await promisify(execFile)("sh", ["-c", `${local(curl)} || [ $? = 28 ]`]);
      if (curl.includes("stream"))
        expect(stdout).toMatch(/^event: snapshot\nid: [\w-]+:1\ndata: \{.*"alice"/);
      else expect(JSON.parse(stdout)).toEqual(shown);
    }
  });
});

describe("the README's commands", () => {
  let gateway: GatewayProcess;
  let port: number;

  beforeAll(async () => {
    gateway = new GatewayProcess({ APPS, ...ENV });
    port = await gateway.port();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  it("make an app token, for the dashboard", async () => {
    const [block] = blocks("sh").filter((each) => each.includes("token app"));
    const script = block!.replaceAll("node dist/main.js", `'${process.execPath}' dist/main.js`);
    const { stdout } = await promisify(execFile)("sh", ["-c", script], { cwd: PROJECT });
    const response = await fetch(`http://127.0.0.1:${port}/v1/my-app/stats`, {
      headers: { authorization: `Bearer ${stdout.trim()}` },
    });
    expect(response.status).toBe(200);
  });

  it("tell whether alice is watching, and make a token", async () => {
    const [block] = blocks("sh").filter((each) => each.startsWith("export GATEWAY_URL"));
    const lines = block!
      .replaceAll(":8080", `:${port}`)
      .replaceAll("node dist/main.js", `'${process.execPath}' dist/main.js`)
      .split("\n");
    const run = async (pattern: RegExp) => {
      const line = lines.find((each) => pattern.test(each))!;
      const script = `${lines[0]}\n${line}\necho "code $?"`;
      return (await promisify(execFile)("sh", ["-c", script], { cwd: PROJECT })).stdout;
    };
    expect(await run(/--focused/)).toBe("nobody\ncode 1\n");
    const token = (await run(/token user/)).split("\n")[0]!;
    const client = await TestClient.open(`ws://127.0.0.1:${port}/v1/my-app/realtime`);
    client.send({ type: "connect", token });
    await client.open({ selectedConversationId: "c1", hasFocus: true });
    expect(await run(/--focused/)).toMatch(/^USER .*\nalice .*\nalice is watching\ncode 0\n$/);
    expect(JSON.parse((await run(/--json {3}/)).split("\n")[0]!).data).toHaveProperty("alice");
    client.terminate();
  });
});

describe("what the README says", () => {
  it("about commands and files is true", () => {
    for (const [, script] of README.matchAll(/npm (?:run )?(start|test|demo|watch|check|lint|bench)\b/g)) {
      expect(SCRIPTS).toContain(script);
    }
    for (const [, path] of README.matchAll(/\]\(((?!http|#)[^)]+)\)/g))
      expect(existsSync(join(PROJECT, path!.split("#")[0]!)), path).toBe(true);
    for (const [, folder] of README.matchAll(/^\| `(src\/[\w.]+)` \|/gm)) {
      expect(existsSync(join(PROJECT, folder!)), folder).toBe(true);
    }
  });
});
