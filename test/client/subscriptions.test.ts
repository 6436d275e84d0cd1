import { describe, expect, it } from "vitest";
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
    return { left, userIds, passTo, socket: sockets[others.length]! };
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
