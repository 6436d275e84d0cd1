import { afterEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("subscriptions over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  it("get the first change at once, and then at most one diff in an interval", async () => {
    const clock = new HandClock();
    const env = { DIFF_INTERVAL_MS: "400", MESSAGES_PER_SECOND: "1000" };
    gateway = await TestGateway.start(transport, { clock, env });
    const client = await gateway.connect();
    await client.subscribe({});
    /** All that have come when so much time has passed. */
    const diffsAfter = async (ms: number) => {
      clock.turn(gateway, ms);
      await client.settled();
      return client.inbox.filter(({ type }) => type === "diff");
    };
    await client.open({ userId: "alice" });
    expect(await diffsAfter(0)).toHaveLength(1);
    for (let interval = 1; interval <= 5; interval++) {
      for (let n = 1; n <= 10; n++) await client.ask({ type: "update", custom: { n: `${interval} ${n}` } });
      expect(await diffsAfter(399)).toHaveLength(interval);
      const diffs = await diffsAfter(1);
      expect(diffs).toHaveLength(interval + 1);
      expect(diffs.at(-1).data.alice.widgets[0].custom).toEqual({ n: `${interval} 10` });
    }
    // Without changes there are no diffs; the first change after that comes at once again.
    expect(await diffsAfter(2_000)).toHaveLength(6);
    await client.ask({ type: "update", custom: { n: "last" } });
    expect(await diffsAfter(0)).toHaveLength(7);
  });

  it("get a snapshot that is not older than the request, though changes wait for the interval", async () => {
    const clock = new HandClock();
    gateway = await TestGateway.start(transport, { clock, env: { DIFF_INTERVAL_MS: "300" } });
    const client = await gateway.connect();
    const { view } = await client.subscribe({});
    const first = await client.open({ userId: "alice" });
    await client.next("diff");
    await client.ask({ type: "update", sessionId: first, hasFocus: true });
    const other = await gateway.connect();
    const asked = other.subscribe({});
    await other.settled();
    expect(other.inbox).toEqual([]);
    clock.turn(gateway, 300);
    const snapshot = await asked;
    expect(snapshot).toMatchObject({ view, version: 3, data: { alice: { widgets: [{ hasFocus: true }] } } });
    expect(await client.next("diff")).toMatchObject({ version: 3 });
  });

  it("that end before their snapshot leave no question open", async () => {
    const clock = new HandClock();
    gateway = await TestGateway.start(transport, { clock, env: { DIFF_INTERVAL_MS: "1000" } });
    const client = await gateway.connect();
    const { view } = await client.subscribe({});
    await client.open({ userId: "alice" });
    await client.next("diff");
    await client.ask({ type: "update", hasFocus: true });
    client.send({ type: "subscribe", id: 7, filter: {} });
    client.send({ type: "unsubscribe", id: 8, view });
    expect(await client.take(({ id }) => id === 7)).toMatchObject({ type: "error", code: "NOT_FOUND" });
    expect(await client.take(({ id }) => id === 8)).toMatchObject({ type: "ok" });
    clock.turn(gateway, 1_200);
    await client.settled();
    expect(client.inbox).toEqual([]);
  });

  it("that wait for a snapshot wait for a few only, and a socket that closes meanwhile closes with its own code", async () => {
    const env = { DIFF_INTERVAL_MS: "1000" };
    gateway = await TestGateway.start(transport, { clock: new HandClock(), env });
    const client = await gateway.connect();
    await client.subscribe({});
    await client.open({ userId: "alice" });
    await client.next("diff");
    await client.ask({ type: "update", hasFocus: true });
    for (let id = 1; id <= 12; id++) client.send({ type: "subscribe", id, filter: {} });
    expect(await client.take(({ id }) => id === 12)).toMatchObject({ code: "LIMIT_REACHED" });
    client.send("not JSON");
    expect((await client.closed).code).toBe(4400);
    expect(gateway.node.telemetry.slowReadersDisconnected).toBe(0);
  });

  it("share one view where filters mean the same, and end for one socket alone", async () => {
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
    const first = await gateway.connect();
    const second = await gateway.connect();
    const { view } = await first.subscribe({ userIds: ["alice", "bob"], hasFocus: null });
    expect((await second.subscribe({ userIds: ["bob", "alice", "bob"] })).view).toBe(view);
    await first.ask({ type: "unsubscribe", view });
    await second.open({ userId: "alice" });
    await second.next("diff");
    await first.settled();
    expect(first.inbox).toEqual([]);
    expect((await gateway.http("GET", "/v1/test-app/stats")).json).toMatchObject({
      subscriptions: 1,
      views: 1,
    });
  });

  it("resume after the socket was lost, with the missed changes and no others", async () => {
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
    const writer = await gateway.connect();
    const reader = await gateway.connect();
    const { view, version } = await reader.subscribe({});
    reader.terminate();
    const ids = [];
    for (const userId of ["a", "b", "c"]) ids.push(await writer.open({ userId }));
    await writer.ask({ type: "close", sessionId: ids[1] });
    const again = await gateway.connect();
    const answer = await again.subscribe({}, { view, version });
    expect(answer).toEqual({ type: "resumed", id: answer.id, view, version });
    const versions = [];
    for (let i = 0; i < 4; i++) versions.push((await again.next("diff")).version);
    expect(versions).toEqual([2, 3, 4, 5]);
    await again.settled();
    expect(again.inbox).toEqual([]);
    // A position in a view of another filter is none in this one.
    expect((await again.subscribe({ hasFocus: true }, { view, version })).type).toBe("snapshot");
  });
});
