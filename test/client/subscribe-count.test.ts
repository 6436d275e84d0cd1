import { describe, expect, it, vi } from "vitest";
import { subscribeCount } from "../../src/client/subscribe-count.ts";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

const FILTER = { selectedConversationId: "c" };

/** A client that counts, and has the answer. */
async function counting() {
  const { client, socket, sockets, told } = await withSession();
  const seen: number[] = [];
  const onError = vi.fn();
  const subscription = subscribeCount(client, FILTER, (count) => seen.push(count), { onError });
  const { id } = socket.messages("subscribe")[0];
  socket.say({ type: "count", id, view: "v", version: 7, users: 3 });
  await pass(0);
  return { client, socket, sockets, told, seen, onError, subscription };
}

describe("a count", () => {
  it("comes at first, and whenever it changes", async () => {
    const { socket, seen, subscription } = await counting();
    expect(socket.messages("subscribe")).toMatchObject([{ filter: FILTER, count: true }]);
    expect(subscription).toMatchObject({ state: "active", count: 3 });
    socket.say({ type: "count", view: "v", version: 8, users: 4 });
    socket.say({ type: "count", view: "another", version: 1, users: 9 });
    expect(seen).toEqual([3]);
    await pass(0);
    expect(seen).toEqual([3, 4]);
    expect(subscription.count).toBe(4);
  });

  it("is asked for again on a new connection, and told only if it differs", async () => {
    const { socket, sockets, seen, subscription } = await counting();
    socket.end(1006);
    await pass(1_000);
    expect(subscription).toMatchObject({ state: "active", count: 3 });
    sockets[1]!.accept();
    const { id } = sockets[1]!.messages("subscribe")[0];
    sockets[1]!.say({ type: "count", id, view: "w", version: 1, users: 3 });
    sockets[1]!.say({ type: "count", view: "w", version: 2, users: 5 });
    await pass(0);
    expect(seen).toEqual([3, 5]);
  });

  it("is one view for filters that mean the same, whatever their fields, until the last one leaves", async () => {
    const { client, socket, subscription } = await counting();
    const seen: number[] = [];
    const other = subscribeCount(client, { ...FILTER, fields: [] }, (count) => seen.push(count));
    await pass(0);
    expect(seen).toEqual([3]);
    expect(socket.messages("subscribe")).toHaveLength(1);
    subscription.unsubscribe();
    await pass(1_000);
    expect(socket.messages("unsubscribe")).toEqual([]);
    other.unsubscribe();
    // A page that takes one down and puts another up keeps the view.
    const third = subscribeCount(client, FILTER, () => {});
    expect(third.count).toBe(3);
    await pass(1_000);
    expect(socket.messages("unsubscribe")).toEqual([]);
    third.unsubscribe();
    await pass(100);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }]);
    // Wanted again before the gateway has answered.
    const fourth = subscribeCount(client, FILTER, () => {});
    expect(socket.messages("subscribe")).toHaveLength(1);
    socket.say({ type: "ok", id: socket.messages("unsubscribe")[0].id });
    const again = socket.messages("subscribe")[1];
    socket.say({ type: "count", id: again.id, view: "v", version: 1, users: 0 });
    expect(fourth).toMatchObject({ state: "active", count: 0 });
  });

  it("is kept for a moment after the last of several has left", async () => {
    const { client, socket, subscription } = await counting();
    const other = subscribeCount(client, FILTER, () => {});
    subscription.unsubscribe();
    await pass(60);
    other.unsubscribe();
    await pass(60);
    expect(socket.messages("unsubscribe")).toEqual([]);
    await pass(40);
    socket.say({ type: "ok", id: socket.messages("unsubscribe")[0].id });
    const next = subscribeCount(client, FILTER, () => {});
    socket.say({ type: "count", id: socket.messages("subscribe")[1].id, view: "v", version: 1, users: 5 });
    await pass(1_000);
    const last = subscribeCount(client, FILTER, () => {});
    expect([next.count, last.count]).toEqual([5, 5]);
    expect(socket.messages("subscribe")).toHaveLength(2);
  });

  it("lets no timer of a view that has gone end the next one", async () => {
    const { client, socket, subscription } = await counting();
    const other = subscribeCount(client, FILTER, () => {});
    subscription.unsubscribe();
    socket.say({ type: "error", view: "v", code: "FORBIDDEN", message: "no longer" });
    await pass(0);
    expect(other.state).toBe("error");
    const next = subscribeCount(client, FILTER, () => {});
    await pass(1_000);
    const last = subscribeCount(client, FILTER, () => {});
    expect(socket.messages("subscribe")).toHaveLength(2);
    socket.say({ type: "count", id: socket.messages("subscribe")[1].id, view: "v", version: 1, users: 5 });
    expect([next.count, last.count]).toEqual([5, 5]);
  });

  it("keeps a client connected only as long as it is wanted", async () => {
    const { client, sockets } = make();
    const subscription = subscribeCount(client, FILTER, () => {});
    await pass(0);
    sockets[0]!.accept();
    subscription.unsubscribe();
    await pass(200);
    const { id } = sockets[0]!.messages("subscribe")[0];
    sockets[0]!.say({ type: "count", id, view: "v", version: 1, users: 1 });
    sockets[0]!.say({ type: "ok", id: sockets[0]!.messages("unsubscribe")[0].id });
    expect(subscription).toMatchObject({ state: "unsubscribed", count: undefined });
    sockets[0]!.end(1006);
    await pass(5_000);
    expect(client.status()).toBe("idle");
  });

  it("ends with an error when it is refused, at once or later", async () => {
    const { client, socket, onError, subscription } = await counting();
    socket.say({ type: "error", view: "v", code: "FORBIDDEN", message: "no longer" });
    await pass(0);
    expect(subscription).toMatchObject({ state: "error", error: { code: "FORBIDDEN" } });
    expect(onError).toHaveBeenCalledOnce();
    const errors: string[] = [];
    const next = subscribeCount(client, FILTER, () => {}, { onError: ({ code }) => errors.push(code) });
    const { id } = socket.messages("subscribe")[1];
    socket.say({ type: "error", id, code: "LIMIT_REACHED", message: "full" });
    await pass(2_100);
    expect(socket.messages("subscribe")[2]).toMatchObject({ id });
    socket.say({ type: "error", id, code: "BAD_MESSAGE", message: "what?" });
    await pass(0);
    expect(errors).toEqual(["BAD_MESSAGE"]);
    expect(next.state).toBe("error");
  });

  it("ends without a call when the client is closed", async () => {
    const { client, onError, subscription } = await counting();
    void client.close();
    await pass(0);
    expect(subscription.state).toBe("unsubscribed");
    expect(onError).not.toHaveBeenCalled();
    expect(subscribeCount(client, FILTER, () => {}).state).toBe("unsubscribed");
  });

  it.each([{ version: 7, users: 4 }, { version: 8, users: -1 }, { version: 8, users: "4" }, { version: 8 }])(
    "is not taken from a gateway that says %j",
    async (fields) => {
      const { socket, told, subscription } = await counting();
      socket.say({ type: "count", view: "v", ...fields });
      await pass(0);
      expect(told.at(-1)).toMatchObject(["reconnecting", { error: { code: "PROTOCOL" } }]);
      expect(subscription.count).toBe(3);
    },
  );
});
