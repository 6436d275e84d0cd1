import { describe, expect, it, vi } from "vitest";
import type { SessionEnd } from "../../src/client/types.ts";
import type { FakeSocket } from "../support/fake-socket.ts";
import { holdClock, make, pass } from "./fake-clock.ts";

holdClock();

describe("a token", () => {
  const never = () => new Promise<string>(() => {});

  it("is asked for when it is first needed, and never inside the call that needs it", async () => {
    let isInside = false;
    const token = vi.fn(() => {
      expect(isInside).toBe(false);
      return "t";
    });
    const { client, sockets } = make({ token });
    await pass(10_000);
    expect(token).not.toHaveBeenCalled();
    isInside = true;
    client.subscribe({}, () => {});
    isInside = false;
    await pass(0);
    expect(token).toHaveBeenCalledTimes(1);
    sockets[0]!.accept();
    expect(sockets[0]!.sent[0]!.message).toEqual({ type: "connect", token: "t" });
    expect(sockets[0]!.url).toBe("ws://gateway/base/v1/an%20app/realtime");
    for (let i = 0; i < 5; i++) {
      sockets.at(-1)!.end(1006);
      await pass(40_000);
      sockets.at(-1)!.accept();
      await pass(6_000);
    }
    expect(token).toHaveBeenCalledTimes(1);
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no such luck");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no such luck"))],
    ["rejects with no error", () => Promise.reject("no such luck")],
    ["brings no string", () => ({ token: "no such luck" })],
    ["brings nothing", () => undefined],
    ["never comes", never],
  ])("that %s is asked for again, ever more slowly, until it comes", async (_, bad) => {
    let isGood = false;
    const token = vi.fn(() => (isGood ? "good" : bad()) as string);
    const { client, sockets, told } = make({ token });
    client.open({ kind: "background" });
    await pass(600_000);
    expect(token.mock.calls.length).toBeGreaterThan(8);
    expect(token.mock.calls.length).toBeLessThan(150);
    expect(sockets).toHaveLength(0);
    expect(client.status()).toBe("reconnecting");
    expect(told.at(-1)![1]).toMatchObject({ error: { name: "PresenceError", code: "TOKEN" } });
    expect(told.at(-1)![1].retryInMs).toBeLessThanOrEqual(30_000);
    isGood = true;
    for (let i = 0; i < 61 && sockets.length === 0; i++) await pass(1_000);
    sockets[0]!.accept();
    expect(client.status()).toBe("connected");
  });

  it("that never comes keeps nothing alive once the client is closed", async () => {
    const { client } = make({ token: never });
    client.open({ kind: "background" });
    await pass(10);
    await client.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is about to expire is refreshed on the same connection, at most once a second", async () => {
    let number = 0;
    const token = vi.fn(() => `t${++number}`);
    const { client, sockets } = make({ token });
    client.open({ kind: "background" });
    await pass(0);
    const socket = sockets[0]!;
    socket.accept();
    await pass(2_000);
    for (let i = 0; i < 500; i++) {
      socket.say({ type: "token_expiring", expiresInMs: 1 });
      await pass(10);
    }
    expect(sockets).toHaveLength(1);
    expect(token.mock.calls.length).toBeLessThanOrEqual(7);
    expect(socket.messages("refresh")[0]).toEqual({ type: "refresh", token: "t2" });
  });

  it("that can't be refreshed is told, and the connection goes on until it ends", async () => {
    let isBroken = false;
    const { client, sockets } = make({
      token: () => (isBroken ? Promise.reject(new Error("down")) : "t"),
    });
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    client.open({ kind: "background" });
    await pass(0);
    sockets[0]!.accept();
    await pass(6_000);
    isBroken = true;
    sockets[0]!.say({ type: "token_expiring", expiresInMs: 1 });
    await pass(10);
    expect(errors).toMatchObject([{ code: "TOKEN", message: "down" }]);
    expect(client.status()).toBe("connected");
    isBroken = false;
    sockets[0]!.end(4410);
    await pass(1_000);
    sockets[1]!.accept();
    expect(client.status()).toBe("connected");
  });

  it.each([4401, 4410])(
    "that is refused with %d is replaced, with backoff; refusals of fresh ones for 30 s are final",
    async (code) => {
      let number = 0;
      const token = vi.fn(() => `t${++number}`);
      const { client, sockets, told } = make({ token }, (socket) =>
        queueMicrotask(() => {
          socket.open();
          socket.end(code, "expired");
        }),
      );
      const ends: SessionEnd[] = [];
      client.open({ kind: "background", onEnd: (end) => ends.push(end) });
      await pass(29_000);
      expect(client.status()).toBe("reconnecting");
      expect(sockets[1]!.sent[0]!.message.token).toBe("t2");
      await pass(61_000);
      expect(sockets.length).toBeLessThan(20);
      expect(client.status()).toBe("failed");
      expect(told.at(-1)).toMatchObject([
        "failed",
        { error: { code: "UNAUTHENTICATED", message: "expired" } },
      ]);
      expect(ends).toMatchObject([{ cause: "error", error: { code: "UNAUTHENTICATED" } }]);
      expect(token).toHaveBeenCalledTimes(sockets.length);
    },
  );

  it("that was good for long is no fresh one: its refusal does not count", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    let isBroken = false;
    const { client, sockets } = make({ token: async () => (isBroken ? Promise.reject("down") : "t") });
    client.open({ kind: "background" });
    await pass(0);
    sockets[0]!.accept();
    await pass(6_000);
    isBroken = true;
    sockets[0]!.end(4401);
    await pass(60_000);
    isBroken = false;
    await pass(30_000);
    sockets[1]!.open();
    sockets[1]!.end(4401);
    expect(client.status()).toBe("reconnecting");
  });

  it.each([
    ["empty", ""],
    ["too long", "x".repeat(8_193)],
  ])("that is %s is not sent, and asked for again; one that is a text cannot be", async (_, bad) => {
    const tokens = [bad, bad, "good"];
    const { client, sockets } = make({ token: () => tokens.shift() ?? "good" });
    client.open({ kind: "background" });
    await pass(10_000);
    expect(sockets).toHaveLength(1);
    sockets[0]!.accept();
    expect(sockets[0]!.sent[0]!.message.token).toBe("good");
    const fixed = make({ token: bad });
    const { connected } = fixed.client.subscribe({}, () => {});
    await expect(connected).rejects.toMatchObject({ code: "TOKEN" });
    expect(fixed.client.status()).toBe("failed");
  });

  it("that was sent and got no answer may be what is wrong: another is asked for", async () => {
    let number = 0;
    const { client, sockets } = make({ token: () => `t${++number}` });
    client.open({ kind: "background" });
    await pass(0);
    // Not reached: the token stays.
    sockets[0]!.end(1006);
    await pass(1_000);
    sockets[1]!.open();
    expect(sockets[1]!.sent[0]!.message.token).toBe("t1");
    sockets[1]!.end(1009);
    await pass(2_000);
    sockets[2]!.accept();
    expect(sockets[2]!.sent[0]!.message.token).toBe("t2");
    sockets[2]!.end(1006);
    await pass(4_000);
    sockets[3]!.open();
    expect(sockets[3]!.sent[0]!.message.token).toBe("t2");
  });

  it("is asked for once at a time, however often the page is woken", async () => {
    const page = new EventTarget();
    vi.stubGlobal("document", Object.assign(page, { visibilityState: "visible", hasFocus: () => true }));
    vi.stubGlobal("addEventListener", () => {});
    vi.stubGlobal("removeEventListener", () => {});
    let asking = 0;
    const token = vi.fn(async () => {
      expect(++asking).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      asking--;
      return "t";
    });
    const { client, sockets } = make({ token });
    client.open({ kind: "background" });
    await pass(3_000);
    sockets[0]!.accept();
    await pass(6_000);
    sockets[0]!.end(4410);
    for (let i = 0; i < 12; i++) {
      await pass(200);
      page.dispatchEvent(new Event("visibilitychange"));
    }
    await pass(3_000);
    expect(token).toHaveBeenCalledTimes(2);
    sockets[1]!.accept();
    expect(client.status()).toBe("connected");
    await client.close();
    vi.unstubAllGlobals();
  });

  it("that was refused after a good time may be refused again later", async () => {
    const { client, sockets } = make({ token: () => "t" });
    client.open({ kind: "background" });
    for (let i = 0; i < 5; i++) {
      await pass(1_000);
      sockets[i]!.accept();
      await pass(6_000);
      sockets[i]!.end(4410);
    }
    await pass(1_000);
    expect(sockets).toHaveLength(6);
  });

  it("that is a plain string, and not valid yet, is tried again when it is", async () => {
    const { client, sockets, told } = make();
    client.subscribe({}, () => {});
    await pass(0);
    const refuse = (socket: FakeSocket, fields: object) => {
      socket.open();
      socket.say({ type: "error", code: "UNAUTHENTICATED", message: "", ...fields });
      socket.end(4401);
    };
    refuse(sockets[0]!, { retryAfterMs: 40_000 });
    await pass(0);
    expect(told.at(-1)).toMatchObject(["reconnecting", { retryInMs: 40_000 }]);
    await pass(39_900);
    expect(sockets).toHaveLength(1);
    await pass(200);
    refuse(sockets[1]!, { retryAfterMs: 1e12 });
    await pass(61_000);
    refuse(sockets[2]!, { retryAfterMs: "soon" });
    expect(client.status()).toBe("failed");
  });

  it.each([4401, 4410])("that is a plain string fails at once with %d", async (code) => {
    const { client, sockets } = make();
    const subscription = client.subscribe({}, () => {});
    await pass(0);
    sockets[0]!.open();
    sockets[0]!.end(code);
    expect(client.status()).toBe("failed");
    expect(subscription).toMatchObject({ state: "error", error: { code: "UNAUTHENTICATED" } });
    await pass(100_000);
    expect(sockets).toHaveLength(1);
  });
});
