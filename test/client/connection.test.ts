import { describe, expect, it, vi } from "vitest";
import { CLOSE } from "../../src/protocol/codes.ts";
import { type FakeSocket, fakeSockets } from "../support/fake-socket.ts";
import { holdClock, make, pass, sleep, withSession } from "./fake-clock.ts";

holdClock();

describe("a lost connection", () => {
  const backoff = Object.values(CLOSE).filter(({ retry }) => retry === "backoff");
  it.each([1000, 1001, 1005, 1006, 1007, ...backoff.map(({ code }) => code)])(
    "is made again after %d",
    async (code) => {
      const { sockets, session, told } = await withSession();
      sockets[0]!.end(code);
      expect(session.state).toBe("pending");
      await pass(1_001);
      expect(sockets).toHaveLength(2);
      expect(told.at(-1)).toMatchObject(["reconnecting", { error: { code: "DISCONNECTED" } }]);
      sockets[1]!.accept();
      expect(sockets[1]!.messages("open")).toMatchObject([{ kind: "widget", sessionId: "session" }]);
    },
  );

  it("is not made again after 4400", async () => {
    const { client, sockets, session } = await withSession();
    sockets[0]!.end(4400, "not JSON");
    expect(client.status()).toBe("failed");
    expect(session.state).toBe("closed");
    await pass(600_000);
    expect(sockets).toHaveLength(1);
  });

  it("is made again in time for its sessions, however often it is refused", async () => {
    const { sockets } = await withSession();
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    sockets[0]!.end(1006);
    const tries: number[] = [];
    for (let ms = 0; ms < 15_000; ms += 10) {
      await pass(10);
      if (sockets.length === tries.length + 1) continue;
      tries.push(ms);
      sockets.at(-1)!.end(1006);
    }
    expect(tries.filter((ms) => ms > 12_000).length).toBeGreaterThan(0);
    expect(tries.length).toBeLessThan(15);
    // Then it is too late, and there is no hurry.
    await pass(60_000);
    expect(sockets.length).toBeLessThan(tries.length + 6);
  });

  it.each([
    ["refuses", (socket: FakeSocket) => queueMicrotask(() => socket.end(1006))],
    [
      "accepts, then closes",
      (socket: FakeSocket) =>
        queueMicrotask(() => {
          socket.accept();
          socket.end(1013);
        }),
    ],
    [
      "talks nonsense",
      (socket: FakeSocket) =>
        queueMicrotask(() => {
          socket.accept();
          socket.say("nonsense");
        }),
    ],
    ["is silent", () => {}],
  ])("to a gateway that %s is not hammered", async (_, behave) => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { client, sockets, told } = make({}, behave);
    client.open({ kind: "background" });
    client.subscribe({}, () => {});
    await pass(600_000);
    expect(sockets.length).toBeGreaterThan(15);
    expect(sockets.length).toBeLessThan(60);
    expect(told.filter(([status]) => status === "reconnecting").at(-1)![1].retryInMs).toBe(15_000);
    expect(vi.getTimerCount()).toBeLessThan(3);
  });

  it("that is cut every few seconds comes back in time for its sessions each time", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { client, sockets, told } = make({}, (socket) => queueMicrotask(() => socket.accept()));
    client.open({ kind: "background" });
    for (let i = 0; i < 50; i++) {
      await pass(500 + (i % 5) * 1_000);
      sockets.at(-1)!.end(1006);
      await pass(5_000);
    }
    const delays = told
      .filter(([status]) => status === "reconnecting")
      .map(([, { retryInMs }]) => retryInMs!);
    expect(delays).toHaveLength(50);
    expect(Math.max(...delays)).toBeLessThanOrEqual(4_000);
  });

  it("to a gateway that goes down is made again no earlier than it says, but for nonsense", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { socket, sockets } = await withSession();
    socket.say({ type: "draining", reconnectInMs: 7_000 });
    await pass(100);
    socket.end(1012);
    await pass(6_800);
    expect(sockets).toHaveLength(1);
    await pass(200);
    expect(sockets).toHaveLength(2);
    sockets[1]!.accept();
    sockets[1]!.say({ type: "draining", reconnectInMs: Number.MAX_SAFE_INTEGER });
    sockets[1]!.end(1012);
    await pass(61_000);
    expect(sockets).toHaveLength(3);
  });

  it("for which nothing is needed any more is not made again", async () => {
    const { client, session, sockets, told } = await withSession();
    session.close();
    const { id } = sockets[0]!.messages("close")[0];
    sockets[0]!.say({ type: "closed", id, sessionId: "session", cause: "closed" });
    sockets[0]!.end(1006);
    expect(client.status()).toBe("idle");
    await pass(100_000);
    expect(told.at(-1), "that is no failure").toEqual(["idle", { error: undefined }]);
    expect(sockets).toHaveLength(1);
    client.open({ kind: "widget" });
    await pass(0);
    expect(sockets).toHaveLength(2);
  });

  it("is made without a subprotocol, which a proxy may strip", async () => {
    const given: unknown[][] = [];
    const { sockets, WebSocket } = fakeSockets();
    class Noted extends WebSocket {
      constructor(...args: [string]) {
        super(...args);
        given.push(args);
      }
    }
    const { client } = make({ WebSocket: Noted });
    client.open({ kind: "background" });
    await pass(0);
    expect(given).toEqual([["ws://gateway/base/v1/an%20app/realtime"]]);
    expect(sockets).toHaveLength(1);
  });

  it("that has failed is made again when the app says so, for what is opened then", async () => {
    const { client, sockets } = await withSession();
    const before = client.subscribe({}, () => {});
    sockets[0]!.end(4400, "not JSON");
    expect(client.subscribe({}, () => {}).state).toBe("error");
    client.reconnect();
    expect(client.status()).toBe("connecting");
    const after = client.subscribe({}, () => {});
    await pass(0);
    sockets[1]!.accept();
    const { id } = sockets[1]!.messages("subscribe")[0];
    sockets[1]!.say({ type: "snapshot", id, view: "v", version: 1, data: {} });
    expect([before.state, after.state]).toEqual(["error", "active"]);
    // Else it does not wait for the next attempt.
    vi.spyOn(Math, "random").mockReturnValue(1);
    sockets[1]!.end(1006);
    client.reconnect();
    await pass(0);
    expect(sockets).toHaveLength(3);
    await client.close();
    client.reconnect();
    expect(client.status()).toBe("closed");
  });

  it("whose address can't be is told at once", async () => {
    class Forbidden {
      constructor() {
        throw new Error("by the page's policy");
      }
    }
    const { client } = make({ WebSocket: Forbidden as never });
    const { connected } = client.subscribe({}, () => {});
    await expect(connected).rejects.toMatchObject({ code: "DISCONNECTED" });
    expect(client.status()).toBe("failed");
  });
});

describe("a dead connection", () => {
  it("is noticed within the heartbeat and 5 s", async () => {
    const { client, socket } = await withSession();
    socket.answersClose = false;
    await pass(15_800);
    expect(socket.messages("ping")).toHaveLength(0);
    await pass(200);
    expect(socket.messages("ping")).toHaveLength(1);
    await pass(4_700);
    expect(client.status()).toBe("connected");
    await pass(300);
    expect(client.status()).toBe("reconnecting");
    expect(socket.closeCode).toBe(4000);
  });

  it("is noticed as soon as that also where the heartbeat is short, and it answered before", async () => {
    const { client, sockets } = make();
    client.open({ kind: "background" });
    await pass(0);
    sockets[0]!.accept({ heartbeatMs: 1_000 });
    for (let i = 0; i < 10; i++) {
      await pass(1_000);
      expect(sockets[0]!.messages("ping")).toHaveLength(i + 1);
      sockets[0]!.say({ type: "pong" });
    }
    await pass(5_900);
    expect(client.status()).toBe("connected");
    await pass(200);
    expect(client.status()).toBe("reconnecting");
  });

  it("is none that answers, or says anything else", async () => {
    const { client, socket } = await withSession();
    for (let i = 0; i < 20; i++) {
      await pass(4_900);
      socket.say(i % 2 ? { type: "pong" } : { type: "something new" });
    }
    expect(client.status()).toBe("connected");
    expect(socket.messages("ping").length).toBe(0);
    for (let i = 0; i < 20; i++) {
      await pass(20_000);
      socket.say({ type: "pong" });
    }
    expect(client.status()).toBe("connected");
  });

  it("is not one that slept: it is asked once more", async () => {
    const { client, socket } = await withSession();
    await pass(16_000);
    expect(socket.messages("ping")).toHaveLength(1);
    sleep(3_600_000);
    await pass(5_000);
    expect(client.status()).toBe("connected");
    expect(socket.messages("ping")).toHaveLength(2);
    await pass(4_000);
    socket.say({ type: "pong" });
    await pass(2_000);
    expect(client.status()).toBe("connected");
    sleep(3_600_000);
    await pass(16_000);
    await pass(5_100);
    expect(client.status()).toBe("reconnecting");
  });

  it("is noticed although every timer is late, as in a hidden tab", async () => {
    const { client, socket } = await withSession();
    for (let i = 0; i < 3; i++) {
      await pass(i === 0 ? 16_000 : 0);
      expect(client.status()).toBe("connected");
      sleep(8_000);
      await pass(5_000);
    }
    expect(socket.messages("ping")).toHaveLength(3);
    expect(client.status()).toBe("reconnecting");
  });

  it("is noticed although the page is shown again and again", async () => {
    const page = new EventTarget();
    vi.stubGlobal("document", Object.assign(page, { visibilityState: "visible", hasFocus: () => true }));
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", () => {});
    const { client } = await withSession();
    for (let i = 0; i < 6; i++) {
      page.dispatchEvent(new Event("visibilitychange"));
      await pass(1_000);
    }
    expect(client.status()).toBe("reconnecting");
    await client.close();
    vi.unstubAllGlobals();
  });

  it("is believed to be one no sooner than the client's own bounds, whatever heartbeat it is told", async () => {
    for (const heartbeatMs of [0, Number.MAX_SAFE_INTEGER]) {
      const { client, sockets } = make();
      client.open({ kind: "background" });
      await pass(0);
      sockets[0]!.accept({ heartbeatMs });
      for (let i = 0; i < 100; i++) {
        await pass(10);
        sockets[0]!.say({ type: "pong" });
      }
      expect(sockets[0]!.messages("ping").length).toBeLessThan(15);
      await pass(126_000);
      expect(client.status()).toBe("reconnecting");
    }
  });
});
