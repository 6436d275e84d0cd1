import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { readEvents } from "../../support/events.ts";
import { TestGateway } from "../../support/gateway.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { until } from "../../support/until.ts";

type Socket = TestClient["socket"];

describe.each(TRANSPORTS)("what is left after churn over %s", (transport) => {
  let gateway: TestGateway;
  let later: number;
  beforeEach(async () => {
    later = 0;
    const clock = { now: () => performance.now() + later, wallNow: Date.now };
    gateway = await TestGateway.start(transport, {
      clock,
      env: { DIFF_INTERVAL_MS: "20", RESUME_WINDOW_MS: "15000" },
    });
  });
  afterEach(() => gateway.stop());

  it("is nothing, once disconnected sessions and idle views have expired", async () => {
    const goodbyes = [
      (socket: Socket) => socket.close(1000),
      (socket: Socket) => socket.close(),
      (socket: Socket) => socket.close(1001),
      (socket: Socket) => socket.terminate(),
    ];
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    const visit = async (i: number) => {
      const client = await gateway.socket();
      if (i % 7 === 0) return client.terminate();
      const userId = `user-${i % 10}`;
      const token = await gateway.token({ tokenType: "user", sub: userId, read: "all" }, exp);
      client.send({ type: "connect", token });
      client.send({ type: "open", kind: "widget", isTyping: true, selectedConversationId: `c-${i % 3}` });
      client.send({ type: "open", kind: "background", custom: { visit: String(i) } });
      client.send({ type: "subscribe", id: 1, filter: { selectedConversationId: `c-${i % 5}` } });
      client.send({ type: "subscribe", id: 2, filter: { userIds: [userId, `other-${i}`] } });
      client.send({ type: "query", id: 3, filter: {} });
      if (i % 3 === 0) await client.take(({ id }) => id === 3);
      goodbyes[i % goodbyes.length]!(client.socket);
      await client.closed;
    };
    // With other goodbyes, users and filters in each round.
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => visit(20 * round + i)));
    }
    const events = await readEvents(gateway, {});
    await events.next();
    events.close();
    await gateway.http("DELETE", "/v1/test-app/users/user-1/sessions");
    await until(() => gateway.node.debugCounts().managedConnections === 0);
    const left = () =>
      Object.entries({ ...gateway.node.debugCounts(), ...gateway.presence().debugCounts() }).filter(
        ([, count]) => count !== 0,
      );
    // First the sessions end, then nobody has been subscribed to any view for a minute.
    later += 16_000;
    await until(() => gateway.presence().table.counts().sessions === 0);
    later += 61_000;
    await expect.poll(left).toEqual([]);
  });
});
