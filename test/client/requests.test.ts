import { describe, expect, it, vi } from "vitest";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

describe("a request that came too fast", () => {
  it("is asked again once, however often it is refused", async () => {
    const { client, sockets } = make();
    const answer = client.query({});
    await pass(0);
    const socket = sockets[0]!;
    socket.accept();
    const { id } = socket.messages("query")[0];
    for (let i = 0; i < 10_000; i++) {
      socket.say({ type: "error", id, code: "RATE_LIMITED", message: "", retryAfterMs: 9e15 });
    }
    expect(vi.getTimerCount()).toBeLessThan(5);
    await pass(2_100);
    expect(socket.messages("query")).toHaveLength(2);
    socket.say({ type: "result", id, data: {} });
    expect((await answer).size).toBe(0);
  });

  it("is closing a session, or unsubscribing: done in the end", async () => {
    const { session, socket, client } = await withSession();
    const subscription = client.subscribe({}, () => {});
    socket.say({ type: "snapshot", id: socket.messages("subscribe")[0].id, view: "v", version: 1, data: {} });
    session.close();
    subscription.unsubscribe();
    await pass(150);
    const asked = [socket.messages("close")[0], socket.messages("unsubscribe")[0]];
    for (const { id } of asked)
      socket.say({ type: "error", id, code: "RATE_LIMITED", message: "", retryAfterMs: 20 });
    await pass(2_100);
    expect(socket.messages("close")).toEqual([asked[0], asked[0]]);
    // The one after the other: a request for a view is another one each time.
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }, { view: "v" }]);
    socket.say({ type: "closed", id: asked[0].id, sessionId: "session", cause: "closed" });
    socket.say({ type: "ok", id: socket.messages("unsubscribe")[1].id });
    await pass(10_000);
    expect(socket.messages("close")).toHaveLength(2);
  });

  it("does not outlive its connection", async () => {
    const { client, sockets } = make();
    const answer = client.query({});
    await pass(0);
    sockets[0]!.accept();
    const { id } = sockets[0]!.messages("query")[0];
    sockets[0]!.say({ type: "error", id, code: "RATE_LIMITED", message: "", retryAfterMs: 1_000 });
    sockets[0]!.end(1006);
    await pass(1_000);
    sockets[1]!.accept();
    await pass(5_000);
    expect(sockets[1]!.messages("query")).toHaveLength(1);
    sockets[1]!.say({ type: "result", id: sockets[1]!.messages("query")[0].id, data: {} });
    await answer;
  });
});

describe("requests that come too fast", () => {
  it("are sent in order, none is lost, and they share a timer", async () => {
    const { client, sockets } = make();
    const users = Array.from({ length: 300 }, (_, i) => `user ${i}`);
    for (const userId of users) client.query({ userIds: [userId] }).catch(() => {});
    await pass(0);
    const socket = sockets[0]!;
    socket.accept();
    const sent = () => socket.messages("query").map(({ filter }) => filter.userIds[0]);
    expect(sent().length).toBeGreaterThan(0);
    expect(sent().length).toBeLessThan(users.length / 2);
    // Each question has a timer for its own end.
    expect(vi.getTimerCount()).toBeLessThan(users.length + 5);
    await pass(15_000);
    expect(sent()).toEqual(users);
  });
});
