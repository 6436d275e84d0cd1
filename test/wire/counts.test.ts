import { afterEach, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("counts over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());
  const start = async (options: TestGatewayOptions = {}) => {
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" }, ...options });
  };
  const count = (client: TestClient, filter: object, more: object = {}) =>
    client.ask({ type: "subscribe", filter, count: true, ...more });

  it("are asked for, and pushed when the number changes, each with the next version", async () => {
    await start();
    const app = await gateway.connect();
    await app.open({ userId: "alice" });
    const watcher = await gateway.connect();
    const query = { type: "query", id: 5, filter: {}, count: true };
    expect(JSON.stringify(await watcher.ask(query))).toBe('{"type":"count","id":5,"users":1}');
    const { view, ...counted } = await count(watcher, {}, { id: 6 });
    expect(counted).toEqual({ type: "count", id: 6, version: 1, users: 1 });
    const bob = await app.open({ userId: "bob", hasFocus: true });
    expect(await watcher.next("count")).toEqual({ type: "count", view, version: 2, users: 2 });
    // None of this changes the number.
    await app.open({ userId: "bob" });
    await app.ask({ type: "update", sessionId: bob, hasFocus: false, custom: { x: "y" } });
    await app.ask({ type: "status", userId: "bob", availability: "busy" });
    await app.ask({ type: "close", sessionId: bob });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    await app.open({ userId: "carol" });
    expect(await watcher.next("count")).toEqual({ type: "count", view, version: 3, users: 3 });
    // Again the present number; and one end is enough.
    expect(await count(watcher, {})).toMatchObject({ view, version: 3, users: 3 });
    expect((await watcher.ask({ type: "unsubscribe", view })).type).toBe("ok");
    await app.open({ userId: "dave" });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
  });

  it("are views of their own, whatever fields and since are", async () => {
    await start();
    const app = await gateway.connect();
    await app.open({ userId: "alice" });
    const watcher = await gateway.connect();
    const list = await watcher.subscribe({});
    const counted = await count(watcher, { fields: ["custom"] }, { since: { view: list.view, version: 1 } });
    expect(counted).toMatchObject({ type: "count", users: 1 });
    expect(counted.view).not.toBe(list.view);
    const { view, version } = counted;
    expect(await count(watcher, { fields: [] }, { since: { view, version } })).toMatchObject({
      type: "count",
      view,
    });
    await app.open({ userId: "bob" });
    expect((await watcher.next("diff")).view).toBe(list.view);
    expect(await watcher.next("count")).toMatchObject({ view, version: version + 1, users: 2 });
    expect(await watcher.ask({ type: "subscribe", filter: {}, count: false })).toMatchObject({
      type: "snapshot",
      view: list.view,
    });
    expect(await watcher.ask({ type: "subscribe", filter: {}, count: "yes" })).toMatchObject({
      code: "BAD_MESSAGE",
      issues: [{ path: "count" }],
    });
  });

  it("are paced like diffs, and a number that is the same again is not sent", async () => {
    const clock = new HandClock();
    await start({ clock, env: { DIFF_INTERVAL_MS: "400" } });
    const app = await gateway.connect();
    const watcher = await gateway.connect();
    const { view } = await count(watcher, {});
    const alice = await app.open({ userId: "alice" });
    expect(await watcher.next("count")).toMatchObject({ version: 2, users: 1 });
    await app.open({ userId: "bob" });
    await app.open({ userId: "carol" });
    clock.turn(gateway, 350);
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    clock.turn(gateway, 50);
    expect(await watcher.next("count")).toEqual({ type: "count", view, version: 3, users: 3 });
    await app.ask({ type: "close", sessionId: alice });
    await app.open({ userId: "dave" });
    clock.turn(gateway, 1_000);
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    await app.open({ userId: "erin" });
    expect(await watcher.next("count")).toEqual({ type: "count", view, version: 4, users: 4 });
  });

  it("may be granted without the users, but not for chosen ones", async () => {
    await start({ app: { indexedCustom: ["team"] } });
    const app = await gateway.connect();
    await app.open({ userId: "bob", custom: { team: "billing" }, selectedConversationId: "c1" });
    const counter = await gateway.connect({ tokenType: "user", sub: "alice", read: { counts: true } });
    const allowed = [
      {},
      { custom: { team: "billing" } },
      { selectedConversationId: "c1" },
      { status: ["online"] },
    ];
    for (const filter of allowed) {
      expect(await counter.ask({ type: "query", filter, count: true })).toMatchObject({ users: 1 });
      expect(await count(counter, filter)).toMatchObject({ users: 1 });
      expect(await counter.ask({ type: "query", filter })).toMatchObject({ code: "FORBIDDEN" });
      expect(await counter.ask({ type: "subscribe", filter })).toMatchObject({ code: "FORBIDDEN" });
    }
    for (const filter of [{ userIds: ["bob"] }, { userIds: ["alice", "bob"] }, { includeInvisible: true }]) {
      expect(await count(counter, filter)).toMatchObject({ code: "FORBIDDEN" });
    }
    expect(await count(counter, { userIds: ["alice"] })).toMatchObject({ users: 0 });
    const other = await gateway.connect({ tokenType: "user", sub: "alice", read: { counts: false } });
    expect(await count(other, {})).toMatchObject({ code: "FORBIDDEN" });
    // A token that does not grant counts any more ends them.
    const token = await gateway.token({ tokenType: "user", sub: "alice" });
    await counter.ask({ type: "refresh", token });
    const ended = counter.inbox.filter(({ type }) => type === "error");
    expect(ended.map(({ code }) => code)).toEqual(allowed.map(() => "FORBIDDEN"));
    const bad = { iss: "test-app", tokenType: "user", sub: "alice", read: { counts: 1 } };
    const strange = await gateway.socket();
    strange.send({ type: "connect", token: await gateway.token(bad as never) });
    expect((await strange.closed).code).toBe(4401);
  });
});
