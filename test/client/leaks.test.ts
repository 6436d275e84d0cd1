import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDLE_VIEW_MS } from "../../src/core/views/view-registry.ts";
import { TestGateway } from "../support/gateway.ts";
import { TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

/** Whatever one cycle leaves is seen. So many, because the cycles differ, and some overlap. */
const CYCLES = 60;

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe.each(TRANSPORTS)("over %s, a client that is closed", (transport) => {
  let skippedMs = 0;
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      env: { MAX_CONNECTS_PER_SECOND: "100000" },
      // Turned forward at the end, to let go of idle views.
      clock: { now: () => performance.now() + skippedMs, wallNow: Date.now },
    });
  });
  afterAll(() => gateway.stop());

  it(`leaves nothing here nor there, ${CYCLES} times`, async () => {
    const token = await gateway.token({ tokenType: "app" });
    const cycle = async (number: number) => {
      const { client } = new TestSdk(gateway.url, token);
      const session = client.open({ kind: "widget", userId: `user-${number % 7}`, custom: { a: "1" } });
      const subscription = client.subscribe({ userIds: [`user-${number % 7}`] }, () => {});
      session.typing();
      // At every point of its life.
      if (number % 5 > 0) await subscription.connected;
      if (number % 5 > 1) await client.query({ isTyping: true });
      if (number % 5 > 2) session.close();
      if (number % 5 > 3) subscription.unsubscribe();
      await client.close();
    };
    await cycle(4);
    await delay(200);
    const before = timers();
    for (let i = 0; i < CYCLES; i += 20)
      await Promise.all(Array.from({ length: 20 }, (_, k) => cycle(i + k)));
    await until(() => timers() <= before);
    await until(() => gateway.node.debugCounts().managedConnections === 0);
    for (let i = 0; i < 3; i++) {
      skippedMs += IDLE_VIEW_MS;
      gateway.node.run(performance.now() + skippedMs);
    }
    const leftovers = { ...gateway.node.debugCounts(), ...gateway.presence().debugCounts() };
    expect(leftovers).toEqual(Object.fromEntries(Object.keys(leftovers).map((name) => [name, 0])));
  });
});
