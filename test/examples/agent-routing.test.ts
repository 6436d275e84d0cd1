import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FreeAgents } from "../../examples/agent-routing.ts";
import type { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import { TestSdk } from "../support/sdk.ts";

describe("examples/agent-routing.ts", () => {
  let gateway: TestGateway;
  let agents: TestClient;
  let router: TestSdk;
  beforeAll(async () => {
    gateway = await TestGateway.start("ws", {
      app: { indexedCustom: ["team"] },
      env: { DIFF_INTERVAL_MS: "0" },
    });
    agents = await gateway.connect();
    router = new TestSdk(gateway.url, await gateway.token({ tokenType: "app" }));
  });
  afterAll(async () => {
    router.client.close();
    await gateway.stop();
  });

  it("knows the free agents of a team, in the order in which they became free", async () => {
    const open = (userId: string, team: string, state: string) =>
      agents.open({ userId, custom: { team, state } });
    const amy = await open("amy", "billing", "free");
    const bea = await open("bea", "billing", "free");
    await open("cyd", "sales", "free");
    const dan = await open("dan", "billing", "talking");
    await open("eve", "billing", "free");
    await agents.ask({ type: "status", userId: "eve", availability: "dnd" });
    const say = (sessionId: string, state: string) =>
      agents.ask({ type: "update", sessionId, custom: { state } });

    const free = new FreeAgents(router.client, "billing");
    await free.ready;
    await expect.poll(() => free.count).toBe(2);
    expect(free.take()).toBe("amy");
    await say(amy, "talking");
    await say(dan, "free");
    await expect.poll(() => free.count).toBe(2);
    await say(amy, "free");
    await expect.poll(() => free.count).toBe(3);
    expect(free.take()).toBe("bea");
    free.giveBack("bea");
    expect([free.take(), free.take(), free.take(), free.take()]).toEqual(["dan", "amy", "bea", undefined]);

    // An agent who is not free any more is not given back.
    await say(bea, "talking");
    await agents.ask({ type: "status", userId: "eve", availability: null });
    await expect.poll(() => free.count).toBe(1);
    free.giveBack("bea");
    expect([free.take(), free.take()]).toEqual(["eve", undefined]);
    free.close();
  });

  it("says so where the app has no index for teams", async () => {
    const other = await TestGateway.start("ws");
    const sdk = new TestSdk(other.url, await other.token({ tokenType: "app" }));
    await expect(new FreeAgents(sdk.client, "billing").ready).rejects.toMatchObject({ code: "BAD_MESSAGE" });
    sdk.client.close();
    await other.stop();
  });
});
