import { describe, expect, it, vi } from "vitest";
import type { PresenceClient } from "../../src/client/types.ts";
import { someone } from "../support/sdk.ts";
import { holdClock, make, pass } from "./fake-clock.ts";

holdClock();

/** A connected client, and what answers its subscriptions. */
async function connect() {
  const { client, sockets } = make();
  const answer = client.query({}).catch(() => {});
  await pass(0);
  const socket = sockets[0]!;
  socket.accept();
  socket.say({ type: "result", id: socket.messages("query")[0].id, data: {} });
  await answer;
  const snapshot = (view: string, number: number, data: object = {}) =>
    socket.say({ type: "snapshot", id: socket.messages("subscribe")[number].id, view, version: 1, data });
  return { client, sockets, socket, snapshot };
}

describe("the subscriptions of a client", () => {
  it("share one view for each filter, however it is written", async () => {
    const { client, socket, snapshot } = await connect();
    const first = client.subscribe({ userIds: ["a", "b"] }, () => {});
    const second = client.subscribe({ userIds: ["b", "a", "a"], isTyping: null }, () => {});
    client.subscribe({ isTyping: true }, () => {});
    expect(socket.messages("subscribe")).toHaveLength(2);
    snapshot("v", 0, { a: someone() });
    expect(await first.connected).toBe(await second.connected);
  });

  it("keep a view for a moment, and unsubscribe from it once", async () => {
    const { client, socket, snapshot } = await connect();
    const first = client.subscribe({}, () => {});
    snapshot("v", 0);
    first.unsubscribe();
    await pass(50);
    const second = client.subscribe({}, () => {});
    expect(second.state).toBe("active");
    await pass(1_000);
    expect(socket.messages("unsubscribe")).toHaveLength(0);
    second.unsubscribe();
    await pass(100);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }]);
    // What was on its way.
    socket.say({ type: "diff", view: "v", version: 2, data: { a: someone() } });
    expect(client.status()).toBe("connected");
  });

  it("keep a view for a moment after the last of several has left", async () => {
    const { client, socket, snapshot } = await connect();
    const first = client.subscribe({}, () => {});
    const second = client.subscribe({}, () => {});
    snapshot("v", 0);
    first.unsubscribe();
    await pass(60);
    second.unsubscribe();
    await pass(60);
    expect(socket.messages("unsubscribe")).toHaveLength(0);
    await pass(40);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }]);
  });

  it("unsubscribe from a view whose answer comes when nobody wants it any more", async () => {
    const { client, socket, snapshot } = await connect();
    client.subscribe({}, () => {}).unsubscribe();
    await pass(200);
    expect(socket.messages("unsubscribe")).toHaveLength(0);
    snapshot("v", 0);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }]);
  });

  it("end one that the gateway has ended, without unsubscribing from it", async () => {
    const { client, socket, snapshot } = await connect();
    const subscription = client.subscribe({}, () => {});
    snapshot("v", 0);
    socket.say({ type: "error", view: "v", code: "FORBIDDEN", message: "no" });
    socket.say({ type: "error", view: "unknown", code: "FORBIDDEN", message: "no" });
    expect(subscription).toMatchObject({ state: "error", error: { code: "FORBIDDEN" } });
    client.subscribe({}, () => {});
    expect(socket.messages("subscribe")).toHaveLength(2);
    // The next view may have the name of the one that ended.
    snapshot("v", 1);
    expect(client.status()).toBe("connected");
    expect(socket.messages("unsubscribe")).toHaveLength(0);
  });

  it("are requested again on the next connection, but for those that nobody wants any more", async () => {
    const { client, sockets, socket, snapshot } = await connect();
    const kept = client.subscribe({ isTyping: true }, () => {});
    const left = client.subscribe({ isTyping: false }, () => {});
    snapshot("v", 0);
    socket.say({ type: "diff", view: "v", version: 2, data: { a: someone() } });
    socket.end(1006);
    left.unsubscribe();
    await pass(1_000);
    sockets[1]!.accept();
    expect(sockets[1]!.messages("subscribe")).toMatchObject([
      { filter: { isTyping: true }, since: { view: "v", version: 2 } },
    ]);
    expect(kept.snapshot?.size).toBe(1);
  });

  const rows = (client: PresenceClient, count: number) =>
    Array.from({ length: count }, (_, i) => client.subscribe({ userIds: [`row ${i}`] }, () => {}));

  it("give up what nobody wants before they ask for more than a socket may have", async () => {
    const { client, socket, snapshot } = await connect();
    const all = rows(client, 100);
    await pass(1_000);
    for (let i = 0; i < 100; i++) snapshot(`v${i}`, i);
    const next = client.subscribe({ userIds: ["next"] }, () => {});
    all[7]!.unsubscribe();
    await pass(0);
    expect(socket.sent.slice(-2).map(({ message }) => message)).toMatchObject([
      { type: "unsubscribe", view: "v7" },
      { type: "subscribe", filter: { userIds: ["next"] } },
    ]);
    snapshot("next", 100);
    expect(next.state).toBe("active");
  });

  it("wait for the place of one that was asked for and is not wanted any more", async () => {
    const { client, socket, snapshot } = await connect();
    const [first] = rows(client, 100);
    await pass(1_000);
    first!.unsubscribe();
    client.subscribe({ userIds: ["next"] }, () => {});
    await pass(1_000);
    expect(socket.messages("subscribe")).toHaveLength(100);
    snapshot("v0", 0);
    await pass(0);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v0" }]);
    expect(socket.messages("subscribe")).toHaveLength(101);
  });

  it("try what was refused for lack of room again, ever more slowly, and at once when there is some", async () => {
    const { client, socket, snapshot } = await connect();
    const [first, second] = rows(client, 3);
    for (const number of [0, 1]) snapshot(`v${number}`, number);
    const refuse = () => {
      const { id } = socket.messages("subscribe").at(-1);
      socket.say({ type: "error", id, code: "LIMIT_REACHED", message: "full" });
    };
    refuse();
    const tries = () => socket.messages("subscribe").length - 3;
    for (const [tried, ms] of [2_000, 4_000, 8_000].entries()) {
      await pass(ms - 10);
      expect(tries()).toBe(tried);
      await pass(20);
      expect(tries()).toBe(tried + 1);
      refuse();
    }
    expect([first!.state, second!.state]).toEqual(["active", "active"]);
    first!.unsubscribe();
    await pass(110);
    expect(tries()).toBe(4);
  });

  it("settle to what is wanted last, with one request at a time for each filter", async () => {
    const { client, socket, snapshot } = await connect();
    let last = client.subscribe({}, () => {});
    snapshot("v", 0);
    last.unsubscribe();
    await pass(110);
    const [{ id }] = socket.messages("unsubscribe");
    for (let i = 0; i < 5; i++) {
      last = client.subscribe({}, () => {});
      if (i < 4) last.unsubscribe();
      await pass(200);
    }
    expect(socket.messages("subscribe")).toHaveLength(1);
    socket.say({ type: "ok", id });
    await pass(0);
    expect(socket.messages("subscribe")).toMatchObject([{}, { since: { view: "v", version: 1 } }]);
    socket.say({ type: "resumed", id: socket.messages("subscribe")[1].id, view: "v", version: 1 });
    expect(last.state).toBe("active");
    await pass(10_000);
    expect(socket.messages("unsubscribe")).toHaveLength(1);
  });
});

describe("users who are missing on a new connection", () => {
  const FIRST = { nodeId: "node-1", tableId: "table-1" };

  type Fields = Record<string, unknown>;

  /** A list of alice and bob, and what the next connections say first: they list only alice. */
  async function reconnect(first: Fields, ...others: Fields[]) {
    const { client, sockets } = make();
    const left: unknown[] = [];
    const snapshotAt: number[] = [];
    const subscription = client.subscribe({}, (_, change) => left.push(...change.left));
    await pass(0);
    let users: object = { alice: someone("1"), bob: someone("2") };
    for (const [i, fields] of [first, ...others].entries()) {
      const socket = sockets[i]!;
      socket.accept(fields);
      const { id } = socket.messages("subscribe").at(-1);
      socket.say({ type: "snapshot", id, view: `view-${i}`, version: 1, data: users });
      users = { alice: someone("1") };
      await pass(0);
      snapshotAt.push(performance.now());
      if (i === others.length) break;
      socket.end(1006);
      while (!sockets[i + 1]) await pass(50);
    }
    const userIds = () => [...subscription.snapshot!.keys()];
    /** So long after a snapshot. */
    const passTo = (i: number, ms: number) => pass(snapshotAt[i]! + ms - performance.now());
    return { client, subscription, left, userIds, passTo, socket: sockets[others.length]! };
  }

  it.each([
    ["to another node of the same table", FIRST, { ...FIRST, nodeId: "node-2" }],
    ["to the same node and table", FIRST, FIRST],
    ["to the same node of an older gateway", { nodeId: "node-1" }, { nodeId: "node-1" }],
  ])("have left, on one %s", async (_, first, second) => {
    const { left, userIds } = await reconnect(first, second);
    expect(userIds()).toEqual(["alice"]);
    expect(left).toEqual([{ userId: "bob", cause: "unknown" }]);
  });

  it.each([
    ["to a node that has restarted under its id", FIRST, { ...FIRST, tableId: "table-2" }],
    ["to another table", FIRST, { nodeId: "node-2", tableId: "table-2" }],
    ["to another node of an older gateway", { nodeId: "node-1" }, { nodeId: "node-2" }],
    ["to a newer gateway", { nodeId: "node-1" }, FIRST],
  ])("have the resume window to come back, on one %s", async (_, first, second) => {
    const { left, userIds, passTo } = await reconnect(first, second);
    await passTo(1, 14_990);
    expect(userIds()).toEqual(["alice", "bob"]);
    expect(left).toEqual([]);
    await passTo(1, 15_010);
    expect(userIds()).toEqual(["alice"]);
    expect(left).toEqual([{ userId: "bob", cause: "timeout" }]);
  });

  it("are not seen to leave when they come back", async () => {
    const { left, userIds, socket } = await reconnect(FIRST, { ...FIRST, tableId: "table-2" });
    socket.say({ type: "diff", view: "view-1", version: 2, data: { bob: someone("3") } });
    await pass(20_000);
    expect(userIds()).toEqual(["alice", "bob"]);
    expect(left).toEqual([]);
  });

  it("are still awaited on one to another node of that table, and after a lagged snapshot", async () => {
    const second = { ...FIRST, tableId: "table-2" };
    const third = { ...second, nodeId: "node-2" };
    const { left, userIds, passTo, socket } = await reconnect(FIRST, second, third);
    const data = { alice: someone("1") };
    socket.say({ type: "snapshot", view: "view-2", version: 9, data, reason: "lagged" });
    await passTo(1, 14_990);
    expect(userIds()).toEqual(["alice", "bob"]);
    await passTo(1, 15_010);
    expect(left).toEqual([{ userId: "bob", cause: "timeout" }]);
  });

  it("are awaited no longer once nobody wants the list, also while there is no connection", async () => {
    const { client, subscription, socket } = await reconnect(FIRST, { ...FIRST, tableId: "table-2" });
    const other = client.subscribe({ isTyping: true }, () => {});
    socket.end(1006);
    await pass(0);
    const before = vi.getTimerCount();
    subscription.unsubscribe();
    await pass(150);
    expect(vi.getTimerCount()).toBe(before - 1);
    other.unsubscribe();
  });

  it("do not matter while the first snapshot is still to come", async () => {
    const { client, sockets } = make();
    const calls: unknown[] = [];
    client.subscribe({}, (_, change) => calls.push(change));
    await pass(0);
    const [socket] = sockets;
    socket!.accept(FIRST);
    const { id } = socket!.messages("subscribe")[0];
    socket!.say({ type: "snapshot", id, view: "v", version: 1, data: { a: someone() }, more: true });
    await pass(15_500);
    expect(calls).toEqual([]);
    socket!.say({ type: "snapshot", id, view: "v", version: 1, data: { b: someone() } });
    await pass(0);
    expect(calls).toEqual([{ entered: ["a", "b"], updated: [], left: [] }]);
  });
});
