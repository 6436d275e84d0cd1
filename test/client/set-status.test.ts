import { describe, expect, it } from "vitest";
import { setStatus } from "../../src/client/set-status.ts";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

/** Why it was refused; undefined while it waits, `true` when the gateway has it. */
function watch(promise: Promise<void>) {
  const seen: { is?: unknown } = {};
  promise.then(
    () => {
      seen.is = true;
    },
    ({ code }) => {
      seen.is = code;
    },
  );
  return seen;
}

describe("a declared status", () => {
  it("connects a client, and is done when the gateway has it", async () => {
    const { client, sockets } = make();
    const done = watch(setStatus(client, { availability: "busy", text: "in a call" }));
    await pass(0);
    sockets[0]!.accept();
    const [message] = sockets[0]!.messages("status");
    expect(message).toEqual({ type: "status", id: message.id, availability: "busy", text: "in a call" });
    await pass(10_000);
    expect(done.is).toBeUndefined();
    sockets[0]!.say({ type: "ok", id: message.id });
    await pass(0);
    expect(done.is).toBe(true);
  });

  it("is sent again on a new connection only if the gateway has not confirmed it", async () => {
    const { client, socket, sockets } = await withSession();
    const first = watch(setStatus(client, { availability: "away" }));
    await pass(0);
    socket.say({ type: "ok", id: socket.messages("status")[0].id });
    await pass(0);
    const second = watch(setStatus(client, { text: "lunch" }));
    await pass(0);
    expect(socket.messages("status")).toHaveLength(2);
    expect([first.is, second.is]).toEqual([true, undefined]);
    socket.end(1006);
    await pass(1_000);
    sockets[1]!.accept();
    await pass(0);
    expect(sockets[1]!.messages("status")).toMatchObject([{ text: "lunch" }]);
    expect(sockets[1]!.messages("status")[0]).not.toHaveProperty("availability");
    sockets[1]!.say({ type: "ok", id: sockets[1]!.messages("status")[0].id });
    await pass(0);
    expect(second.is).toBe(true);
    sockets[1]!.end(1006);
    await pass(2_000);
    sockets[2]!.accept();
    await pass(0);
    expect(sockets[2]!.messages("status")).toEqual([]);
  });

  it("waits for the one before, even if that is refused for now, and is merged while it waits", async () => {
    const { client, socket } = await withSession();
    watch(setStatus(client, { availability: "busy" }));
    await pass(0);
    const merged = [{ text: "a" }, { text: null, emoji: "🌴" }, { availability: "dnd" as const }].map(
      (change) => watch(setStatus(client, change)),
    );
    const other = watch(setStatus(client, { userId: "bob", text: "b" }));
    await pass(0);
    expect(socket.messages("status")).toMatchObject([{ availability: "busy" }, { userId: "bob" }]);
    const [{ id }, ofBob] = socket.messages("status");
    socket.say({ type: "ok", id: ofBob.id });
    socket.say({ type: "error", id, code: "RATE_LIMITED", message: "slowly" });
    await pass(2_100);
    expect(socket.messages("status")[2]).toMatchObject({ id, availability: "busy" });
    socket.say({ type: "ok", id });
    await pass(0);
    const last = socket.messages("status")[3];
    expect(last).toEqual({ type: "status", id: last.id, text: null, emoji: "🌴", availability: "dnd" });
    socket.say({ type: "ok", id: last.id });
    await pass(0);
    expect([other.is, ...merged.map(({ is }) => is)]).toEqual([true, true, true, true]);
    expect(socket.messages("status")).toHaveLength(4);
  });

  it("ends when it was meant to, however late it is sent", async () => {
    const { client, sockets } = make();
    setStatus(client, { availability: "away", expiresInMs: 7_000 });
    await pass(5_000);
    sockets[0]!.accept();
    expect(sockets[0]!.messages("status")).toMatchObject([{ expiresInMs: 2_000 }]);
    sockets[0]!.end(1006);
    await pass(1_000);
    await pass(5_000);
    sockets.at(-1)!.accept();
    await pass(0);
    // The least that the gateway takes.
    expect(sockets.at(-1)!.messages("status")).toMatchObject([{ expiresInMs: 1_000 }]);
  });

  it("rejects when it is refused or the client is closed, and the next is tried", async () => {
    const { client, socket } = await withSession();
    const refused = watch(setStatus(client, { text: "x".repeat(129) }));
    const next = watch(setStatus(client, { text: "y" }));
    await pass(0);
    // Both were declared before the first was sent.
    expect(socket.messages("status")).toMatchObject([{ text: "y" }]);
    socket.say({ type: "error", id: socket.messages("status")[0].id, code: "BAD_MESSAGE", message: "no" });
    await pass(0);
    expect([refused.is, next.is]).toEqual(["BAD_MESSAGE", "BAD_MESSAGE"]);
    const last = watch(setStatus(client, { text: "z" }));
    await pass(0);
    expect(socket.messages("status")).toHaveLength(2);
    void client.close();
    await pass(0);
    expect(last.is).toBe("CLOSED");
  });
});
