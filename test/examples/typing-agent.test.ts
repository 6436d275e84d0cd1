import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text as readText } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { PROJECT } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

/** As the examples say it. */
const TTL_MS = 10_000;

describe.each([
  { tool: "python3", example: "examples/typing-agent.py" },
  { tool: "curl", example: "examples/typing-agent.sh" },
])("$example", ({ tool, example }) => {
  // Time stands still, so nothing ends because a test is slow.
  const clock = new HandClock();
  let gateway: TestGateway;
  let watcher: TestClient;
  let agent: ChildProcess;

  beforeEach(async () => {
    gateway = await TestGateway.start("ws", { clock, env: { DIFF_INTERVAL_MS: "0" } });
    watcher = await gateway.connect();
    await watcher.subscribe({ selectedConversationId: "order-7" });
  });
  afterEach(async () => {
    // `cat` ends with its input, so the agent does, too.
    agent?.stdin?.end();
    await gateway.stop();
  });

  /** `cat` stands for the model: it answers what the test gives it, when the test wants it to. */
  function start(): void {
    agent = spawn(example, ["order-7", "cat"], {
      cwd: PROJECT,
      env: { PATH: process.env.PATH, GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET: SECRET },
      stdio: ["pipe", "pipe", "inherit"],
    });
  }

  /** Reads diffs until one of them has this value of the agent. */
  const seen = (isIt: (value: { widgets: { isTyping: boolean }[] } | null) => boolean) =>
    watcher.take(({ type, data }) => type === "diff" && "assistant" in data && isIt(data.assistant));

  unless(whyNoTool(tool), it)("shows that the agent is typing until it has its answer", async () => {
    start();
    await seen((value) => value?.widgets[0]?.isTyping === true);
    const answer = readText(agent.stdout!);
    agent.stdin!.end("It was sent on Monday.");
    expect(await answer).toBe("It was sent on Monday.");
    expect((await seen((value) => value === null)).causes).toEqual({ assistant: "closed" });
    if (agent.exitCode === null) await once(agent, "exit");
    expect(agent.exitCode).toBe(0);
  });

  unless(whyNoTool(tool), it)("ends by itself after kill -9", async () => {
    start();
    await seen((value) => value?.widgets[0]?.isTyping === true);
    agent.kill("SIGKILL");
    await once(agent, "exit");
    expect(await gateway.query()).toHaveProperty("assistant");
    // A last write may still be on its way, and restarts the session's life.
    await until(() => {
      clock.turn(gateway, TTL_MS);
      return gateway.presence().table.counts().users === 0;
    });
    expect((await seen((value) => value === null)).causes).toEqual({ assistant: "timeout" });
  });
});
