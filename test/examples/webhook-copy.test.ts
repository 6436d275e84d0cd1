import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownPort } from "../programs/own-port.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";
import { PATIENCE_MS } from "../support/until.ts";
import { WEBHOOK_SECRET } from "../support/webhook-receiver.ts";
import { presentIn, type WebhookFault, WebhookSender } from "../support/webhook-sender.ts";

/** The whole result as another sender has it: nobody. */
const EMPTY = JSON.stringify({
  type: "presence.snapshot",
  data: { appId: "shop", webhookId: "copy", view: "own", version: 1, users: {}, page: 1, more: false },
});

/** Node runs TypeScript and has SQLite from 22.18 on. */
const runsTypeScript = "typescript" in process.features && Boolean(process.features.typescript);
const whyNoTypeScript = runsTypeScript
  ? undefined
  : `Node ${process.version} has no SQLite, which webhook-copy.ts uses`;

describe.each([
  { example: "examples/webhook-copy.py", command: ["python3"], whyNot: undefined },
  { example: "examples/webhook-copy.ts", command: [process.execPath], whyNot: whyNoTypeScript },
])("$example", ({ example, command: [program], whyNot }) => {
  const test = unless(whyNot ?? whyNoTool("python3"), it);
  let folder: string;
  let receiver: ChildProcess | undefined;
  let sender: WebhookSender;

  const database = () => join(folder, "presence.db");

  async function start(port = 0): Promise<void> {
    receiver = spawn(program!, [example], {
      cwd: PROJECT,
      env: {
        PATH: process.env.PATH,
        WEBHOOK_SECRET,
        DATABASE: database(),
        PORT: String(port),
        NODE_NO_WARNINGS: "1",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(createInterface({ input: receiver.stdout! }), "line");
    sender.url = /http:\S+/.exec(line)![0];
  }

  async function kill(): Promise<void> {
    const exited = once(receiver!, "exit");
    receiver!.kill("SIGKILL");
    await exited;
    receiver = undefined;
  }

  const wipe = () => {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(database() + suffix, { force: true });
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "webhook-copy-"));
    sender = new WebhookSender("", WEBHOOK_SECRET);
  });
  afterEach(async () => {
    if (receiver !== undefined) await kill();
    rmSync(folder, { recursive: true });
  });

  /** The table `present`. */
  function copy(): Map<string, unknown> {
    const script =
      "import json, sqlite3, sys; rows = sqlite3.connect(sys.argv[1]).execute('SELECT * FROM present');" +
      "print(json.dumps([[user, json.loads(value)] for user, value in rows]))";
    const rows = JSON.parse(execFileSync("python3", ["-c", script, database()], { encoding: "utf8" }));
    return new Map(rows);
  }

  async function untilQuiet(): Promise<void> {
    for (let i = 0; !sender.isQuiet; i++) {
      if (i > 100) throw new Error("the receiver does not take the messages");
      await sender.exchange();
    }
  }

  test("has whom a snapshot of several pages and diffs bring", async () => {
    await start();
    for (let i = 0; i < 8; i++) sender.set(`user-${i}`, presentIn("c1"));
    await untilQuiet();
    expect(copy()).toEqual(sender.users);
    sender.set("user-3", null);
    sender.set("user-4", presentIn("c2", true));
    sender.set("__proto__", presentIn(null));
    await untilQuiet();
    expect(copy()).toEqual(sender.users);
  });

  test("goes on where it was after kill -9, also between two pages", async () => {
    for (let i = 0; i < 5; i++) sender.set(`user-${i}`, presentIn("c1"));
    await start();
    await sender.exchange();
    await kill();
    expect(copy().size).toBe(0);
    await start();
    expect(await sender.exchange()).toEqual({ status: 200, text: "{}" });
    expect(copy()).toEqual(sender.users);
    await kill();
    await start();
    sender.set("user-0", null);
    expect(await sender.exchange()).toEqual({ status: 200, text: "{}" });
    expect(copy()).toEqual(sender.users);
  });

  test("asks for a snapshot when it has lost its copy, or missed a message", async () => {
    await start();
    sender.set("alice", presentIn("c1"));
    await untilQuiet();
    await kill();
    wipe();
    await start();
    sender.set("bob", presentIn("c1"));
    expect((await sender.exchange())!.text).toContain("resync");
    await sender.exchange();
    expect(copy()).toEqual(sender.users);
    const position = { view: "view-0", from: 7, version: 8 };
    const data = { appId: "shop", webhookId: "copy", ...position, users: {}, causes: {} };
    const answer = await sender.send(JSON.stringify({ type: "presence.diff", data }));
    expect(answer!.text).toContain("resync");
    expect(copy()).toEqual(sender.users);
  });

  test("takes a message that comes again once, also when it is late", async () => {
    await start();
    sender.set("alice", presentIn("c1"));
    await untilQuiet();
    await sender.send(EMPTY, {}, "old");
    sender.restart();
    await untilQuiet();
    expect(await sender.send(EMPTY, {}, "old")).toEqual({ status: 200, text: "{}" });
    expect(copy()).toEqual(sender.users);
  });

  test("is right once all is sent again after a message of another sender, which was late", async () => {
    await start();
    sender.set("alice", presentIn("c1"));
    await untilQuiet();
    await sender.send(EMPTY);
    expect(copy().size).toBe(0);
    sender.repeat();
    await untilQuiet();
    expect(copy()).toEqual(sender.users);
    await sender.send(EMPTY);
    sender.set("bob", presentIn("c1"));
    await untilQuiet();
    expect(copy()).toEqual(sender.users);
  });

  test("refuses what is not from the gateway", async () => {
    await start();
    sender.set("alice", presentIn("c1"));
    await untilQuiet();
    for (const headers of [
      { "webhook-signature": "v1,AAAA" },
      { "webhook-signature": "" },
      { "webhook-id": "another" },
      { "webhook-timestamp": "1000000000" },
      { "webhook-timestamp": "x" },
      { "webhook-timestamp": "9".repeat(30) },
    ]) {
      expect(await sender.send(EMPTY, headers)).toMatchObject({ status: 401 });
    }
    // The receiver may end the connection before such a body has come.
    const tooLong = await sender.send(" ".repeat(2_000_000));
    expect([undefined, 413]).toContain(tooLong?.status);
    expect(copy()).toEqual(sender.users);
  });

  test("equals the truth after quiet, whatever has failed in between", async () => {
    const random = new Random(SEED);
    await start();
    for (let round = 0; round < 3; round++) {
      for (let step = 0; step < 20; step++) {
        const changes = random.below(4);
        for (let i = 0; i < changes; i++) {
          const value = random.oneIn(3) ? null : presentIn(`c${random.below(3)}`, random.oneIn(2));
          sender.set(`user-${random.below(12)}`, value);
        }
        await sender.exchange(
          random.pick<WebhookFault>(["none", "none", "answer lost", "request lost", "sent twice"]),
        );
        if (random.oneIn(20)) sender.restart();
        if (random.oneIn(15)) {
          await kill();
          if (random.oneIn(2)) wipe();
          await start();
        }
      }
      sender.set("last", presentIn(`c${round}`));
      await untilQuiet();
      expect(copy()).toEqual(sender.users);
    }
  });

  test("equals what a gateway answers, after it was killed and after it lost its copy", async () => {
    const port = await ownPort();
    const webhook = {
      id: "copy",
      url: `http://127.0.0.1:${port}/`,
      secrets: [WEBHOOK_SECRET],
      intervalMs: 100,
    };
    await start(port);
    const gateway = await TestGateway.start("ws", {
      app: { webhooks: [webhook] },
      env: { RESUME_WINDOW_MS: "0", TYPING_TIMEOUT_MS: "3600000" },
    });
    const write = (userId: string, body: object) =>
      gateway.http("PUT", `/v1/${APP}/users/${userId}/sessions/k`, { ttlMs: 3_600_000, ...body });
    // Each look starts a process, so there are not many.
    const agrees = async () =>
      await expect
        .poll(async () => isDeepStrictEqual(Object.fromEntries(copy()), await gateway.query()), {
          timeout: PATIENCE_MS,
          interval: 250,
        })
        .toBe(true);
    // They fill several pages.
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [i, "x".repeat(500)]));
    await Promise.all(Array.from({ length: 100 }, (_, i) => write(`user-${i}`, { custom })));
    await agrees();
    await write("alice", { selectedConversationId: "c1" });
    await agrees();
    await kill();
    await write("alice", { selectedConversationId: "c2" });
    await gateway.http("DELETE", `/v1/${APP}/users/user-7`);
    await start(port);
    await agrees();
    await kill();
    wipe();
    await write("bob", { hasFocus: true });
    await start(port);
    await agrees();
    await gateway.stop();
  });
});
