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
