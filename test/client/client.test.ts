import { describe, expect, it, vi } from "vitest";
import type { FakeSocket } from "../support/fake-socket.ts";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

describe("a client that is closed", () => {
  it.each<[string, (socket: FakeSocket | undefined) => void]>([
    ["before it connects", () => {}],
    ["while it connects", (socket) => socket?.open()],
    ["while connected", (socket) => socket?.accept()],
    [
      "while its peer is dead",
      (socket) => {
        socket?.accept();
        socket!.answersClose = false;
      },
    ],
    ["after its connection was lost", (socket) => socket?.end(1006)],
    ["after it failed", (socket) => socket?.end(4400)],
  ])("%s leaves nothing, and all that comes later ends with CLOSED", async (_, bring) => {
    const { client, sockets } = make();
    const query = client.query({}).catch((error) => error);
    const session = client.open({ kind: "widget" });
    const subscription = client.subscribe({}, () => {});
    await pass(0);
    bring(sockets[0]);
    const closed = client.close();
    expect(client.status()).toBe("closed");
    expect(session.state).toBe("closed");
    await pass(2_000);
    await closed;
    expect((await query).name).toBe("PresenceError");
    expect(["error", "unsubscribed"]).toContain(subscription.state);
    await pass(200);
    expect(vi.getTimerCount()).toBe(0);
    expect(client.open({ kind: "widget" }).state).toBe("closed");
    await expect(client.query({})).rejects.toMatchObject({ code: "CLOSED" });
    const late = client.subscribe({}, () => {});
    await expect(late.connected).rejects.toMatchObject({ code: "CLOSED" });
    expect(late.state).toBe("unsubscribed");
    await client.close();
    await pass(100_000);
    expect(sockets).toHaveLength(1);
  });

  it("tells the gateway that it means it", async () => {
    const { client, socket } = await withSession();
    await client.close();
    expect(socket.closeCode).toBe(1000);
  });

  it("no longer tells who was taken off the list", async () => {
    const { client } = make();
    const listener = vi.fn();
    const off = client.on("status", listener);
    client.open({ kind: "widget" });
    off();
    await pass(10);
    expect(listener).not.toHaveBeenCalled();
  });
});
