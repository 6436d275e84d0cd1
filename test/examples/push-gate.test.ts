import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { PATIENCE_MS } from "../support/until.ts";

describe("examples/push-gate.mjs", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start("ws");
  });
  afterAll(() => gateway.stop());

  function run(APP_SECRET = SECRET) {
    const users = ["alice", "bob", "carol", "dave"];
    return promisify(execFile)(process.execPath, ["examples/push-gate.mjs", "order-7", ...users], {
      cwd: PROJECT,
      env: { GATEWAY_URL: gateway.url, APP_ID: APP, APP_SECRET, PATIENCE_MS: String(PATIENCE_MS) },
    });
  }

  it("leaves out users who look at the conversation, and those who want no disturbance", async () => {
    const client = await gateway.connect();
    await client.open({ userId: "alice", selectedConversationId: "order-7", hasFocus: true });
    await client.open({ userId: "bob", selectedConversationId: "order-7" });
    await client.open({ userId: "carol", hasFocus: true });
    await client.ask({ type: "status", userId: "carol", availability: "dnd" });
    expect((await run()).stdout).toBe("bob\ndave\n");
  });

  it("notifies everybody when the gateway does not tell", async () => {
    const { stdout, stderr } = await run("another secret, which is not the secret of the app");
    expect(stdout).toBe("alice\nbob\ncarol\ndave\n");
    expect(stderr).toContain("401");
  });
});
