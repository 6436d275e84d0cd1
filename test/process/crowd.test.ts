import { afterAll, beforeAll, expect, it } from "vitest";
import { ownPort } from "../programs/own-port.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { CliProcess, runCli } from "../support/process.ts";
import { until } from "../support/until.ts";

let gateway: TestGateway;
let env: Record<string, string>;

beforeAll(async () => {
  gateway = await TestGateway.start("ws", { app: { requireExp: true } });
  env = { GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET: SECRET };
});
afterAll(async () => await gateway.stop());

const users = () => gateway.presence().table.counts().users;

it("a crowd connects, is visible, and leaves on a signal", async () => {
  const run = new CliProcess(env, ["crowd", "30", "--rate", "500", "--conversations", "2"]);
  await until(() => users() >= 28);
  await run.printed(
    /^30 users in \d+ tabs come to http:.*\nconnected \d+ of \d+ · online \d+ · typing \d+\n/,
  );
  const conversations = Object.values(await gateway.query()).flatMap(({ widgets }) =>
    widgets.map((widget: { selectedConversationId: string }) => widget.selectedConversationId),
  );
  // Some widgets show no conversation.
  expect([...new Set(conversations)].filter((id) => id !== null).sort()).toEqual([
    "conversation-1",
    "conversation-2",
  ]);
  expect(await run.stop("SIGINT")).toBe(0);
  expect(run.output).toMatch(/everybody has left\n$/);
  expect(run.errors).toBe("");
  await until(() => users() === 0);
});

it("a crowd leaves when its duration is over", async () => {
  const { code, output } = await runCli(["crowd", "--users", "3", "--seconds", "2"], env);
  expect(code).toBe(0);
  expect(output).toMatch(/^3 users (?:.*\n)*everybody has left\n$/);
  await until(() => users() === 0);
});

it("a crowd prints why the gateway refuses it", async () => {
  const PORT = String(await ownPort());
  const other = await TestGateway.start("ws", {
    env: { PORT },
    apps: [{ id: "other", secrets: ["another secret of another app, as long"] }],
  });
  const run = new CliProcess({ ...env, GATEWAY_URL: other.url }, ["crowd", "5"]);
  await run.printed(/connected [1-9]/);
  await other.stop();
  const changed = await TestGateway.start("ws", {
    env: { PORT },
    app: { secrets: ["a new secret, and the old one is gone"] },
  });
  expect(await run.exited).toBe(2);
  expect(run.errors).toBe("presence-gateway: the gateway refuses the crowd: no valid token\n");
  await changed.stop();
});
