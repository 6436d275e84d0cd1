import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createClient, type PresenceClient } from "../../src/client/index.ts";
import { blocksOf, read } from "../structure/documents.ts";
import { TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";

const DOCUMENT = "docs/from-talkjs.md";
const blocks = blocksOf(DOCUMENT);
const blockWith = (text: string) => blocks.find((block) => block.text.includes(text))!.text;
const [, COMPARE] = /```sh\n( +export TALKJS_APP_ID.*?)```/s.exec(read(DOCUMENT))!;
const ENVIRONMENT = blockWith("export GATEWAY_URL=").split("\n")[0]!;
const [, APPS] = /APPS='(.*)'/.exec(blockWith("export APPS="))!;
const [, TALKJS_SECRET] = /TALKJS_SECRET=(\S+)/.exec(COMPARE!)!;
const [app] = JSON.parse(APPS!);

const AsyncFunction = (async () => {}).constructor as new (
  ...source: string[]
) => (...args: unknown[]) => Promise<unknown>;

unless(whyNoTool("curl"), describe)(`the examples of ${DOCUMENT}`, () => {
  let gateway: TestGateway;
  let talkjs: TestGateway;

  beforeAll(async () => {
    // Commands take seconds on a busy machine, and typing must not end meanwhile.
    const env = { DIFF_INTERVAL_MS: "0", TYPING_TIMEOUT_MS: "600000" };
    gateway = await TestGateway.start("ws", { apps: [app], env });
    talkjs = await TestGateway.start("ws", { apps: [{ ...app, secrets: [TALKJS_SECRET!] }] });
  });
  afterAll(async () => {
    await gateway.stop();
    await talkjs.stop();
  });

  const token = async () =>
    await gateway.token({ tokenType: "user", sub: "alice" }, undefined, app.id, app.secrets[0]);

  /** Runs shell lines as they are written, but for addresses, and with the build in place of the package. */
  async function run(script: string) {
    const lines = `npx() { shift; node dist/main.js "$@"; }\n${ENVIRONMENT}\n${script}`
      .replaceAll("http://127.0.0.1:8080", gateway.url)
      .replaceAll("https://api.talkjs.com", talkjs.url);
    try {
      return { code: 0, ...(await promisify(execFile)("sh", ["-ec", lines], { cwd: PROJECT })) };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  }
  const json = async (script: string) => {
    const { stdout, stderr } = await run(script);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  };

  it("show alice in a conversation, as her page reports her", async () => {
    // There is no page here that could have the focus.
    const code = blockWith("createClient")
      .replace(/^import .*$/m, "")
      .replace("http://127.0.0.1:8080", gateway.url)
      .replace("trackFocus", "hasFocus");
    const make = new AsyncFunction("createClient", "token", `${code}; return presence`);
    const create = (options: object) =>
      createClient({ ...options, WebSocket } as unknown as Parameters<typeof createClient>[0]);
    const presence = (await make(create, token)) as PresenceClient;
    await expect
      .poll(async () => (await json(blockWith("TOKEN="))).data)
      .toMatchObject({
        alice: { status: "online", widgets: [{ selectedConversationId: "c1", isTyping: true }] },
      });

    expect(await json(blockWith("/batch"))).toEqual([
      [
        1,
        200,
        [
          { isTyping: false, currentConversationId: null },
          { isTyping: true, currentConversationId: "c1" },
        ],
      ],
      [2, 200, { data: { alice: expect.objectContaining({ status: "online" }) } }],
      [3, 405, expect.objectContaining({ errorCode: "METHOD_NOT_ALLOWED" })],
    ]);
    presence.close();
  });

  it("write a session over HTTP, and compare both", async () => {
    expect(await json(blockWith("-X PUT"))).toMatchObject({ data: { created: true } });
    const { code, stdout } = await run(COMPARE!.replace("--repeat 3", "--repeat 1"));
    expect([code, stdout.split("\n").at(-2)]).toEqual([1, "0 alike, 1 different"]);
    expect(stdout).toMatch(/^support-bot +user +- +is there$/m);
  });
});
