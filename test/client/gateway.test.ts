import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it as test } from "vitest";
import { setStatus } from "../../src/client/set-status.ts";
import { subscribeCount } from "../../src/client/subscribe-count.ts";
import type { SessionEnd } from "../../src/client/types.ts";
import { APP } from "../support/gateway.ts";
import { plain } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { SdkWorld } from "./sdk-world.ts";

const it = test.concurrent;

describe.concurrent.each(TRANSPORTS)("the SDK with a gateway over %s", (transport) => {
  it("opens nothing until it is needed, then one socket, and one view for each filter", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const { client } = await world.sdk();
    await delay(50);
    expect(world.proxy.accepted).toBe(0);
    expect(client.status()).toBe("idle");
    const all = [
      client.subscribe({ hasFocus: true, userIds: ["b", "a"] }, () => {}),
      client.subscribe({ userIds: ["a", "b", "a"], isTyping: null, hasFocus: true }, () => {}),
      client.subscribe({ includeBackgroundSessions: false, userIds: ["b", "a"], hasFocus: true }, () => {}),
    ];
    const other = client.subscribe({ selectedConversationId: null }, () => {});
    const session = client.open({ kind: "background", userId: "a" });
    expect(all.map(({ state }) => state)).toEqual(["pending", "pending", "pending"]);
    const [first, ...others] = await Promise.all([...all, other].map(({ connected }) => connected));
    expect(others[0]).toBe(first);
    expect(all.map(({ state }) => state)).toEqual(["active", "active", "active"]);
    await until(() => session.state === "open");
    await client.query({});
    const late = client.subscribe({ userIds: ["a", "b"], hasFocus: true }, () => {});
    expect(await late.connected).toBe(first);
    expect(world.gateway.presence().subscriptions).toBe(2);
    expect(world.gateway.presence().sockets).toBe(1);
  });

  it("tells who entered, changed and left, and why, in snapshots that never change", async (context) => {
    const world = await SdkWorld.make(context, transport, { RESUME_WINDOW_MS: "300", DIFF_INTERVAL_MS: "0" });
    const sdk = await world.sdk();
    const watched = sdk.watch({ selectedConversationId: "c1" });
    await watched.subscription.connected;
    const other = await world.gateway.connect();
    const open = (userId: string) => other.open({ userId, selectedConversationId: "c1" });
    const [alice, bob] = [await open("alice"), await open("bob")];
    await open("__proto__");
    await open("kicked");
    await until(() => watched.subscription.snapshot?.size === 4);
    const full = watched.subscription.snapshot!;
    await other.ask({ type: "update", sessionId: alice, custom: { a: "1", ["__proto__"]: "x" } });
    await other.ask({ type: "update", sessionId: bob, selectedConversationId: "c2" });
    await other.ask({ type: "close", sessionId: alice });
    await world.gateway.http("DELETE", `/v1/${APP}/users/kicked/sessions`);
    other.terminate();
    await until(() => watched.subscription.snapshot?.size === 0);
    expect(full.size).toBe(4);
    expect(full.get("alice")!.widgets[0]!.custom).toEqual({});
    expect(watched.changes.flatMap(({ entered }) => entered)).toEqual([
      "alice",
      "bob",
      "__proto__",
      "kicked",
    ]);
    expect(watched.changes.flatMap(({ updated }) => updated)).toEqual(["alice"]);
    expect(watched.changes.flatMap(({ left }) => left)).toEqual([
      { userId: "bob", cause: "changed" },
      { userId: "alice", cause: "closed" },
      { userId: "kicked", cause: "kicked" },
      { userId: "__proto__", cause: "timeout" },
    ]);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it("calls nobody back inside the call that caused it, nor after unsubscribing", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const sdk = await world.sdk();
    let isInside = true;
    const calls: string[] = [];
    const called = (what: string) => {
      expect(isInside).toBe(false);
      calls.push(what);
    };
    const inside = <T>(call: () => T): T => {
      isInside = true;
      const result = call();
      isInside = false;
      return result;
    };
    const { client } = sdk;
    inside(() => client.on("status", () => called("status")));
    const first = inside(() => client.subscribe({}, () => called("first")));
    await first.connected;
    const again = inside(() => client.subscribe({}, () => called("again")));
    const gone = inside(() => client.subscribe({}, () => called("gone")));
    inside(() => gone.unsubscribe());
    await again.connected;
    const unheard = inside(() => client.subscribe({ isTyping: true }, () => called("gone")));
    inside(() => unheard.unsubscribe());
    await expect(unheard.connected).rejects.toMatchObject({ code: "CLOSED" });
    const session = inside(() => client.open({ kind: "widget", userId: "a", onEnd: () => called("end") }));
    await until(() => session.state === "open");
    inside(() => session.close());
    inside(() => first.unsubscribe());
    inside(() => void client.close());
    await delay(50);
    expect(calls.filter((call) => call === "gone" || call === "end")).toEqual([]);
    expect(calls).toContain("again");
    expect(again.state).toBe("unsubscribed");
  });

  it("releases a view a moment after the last has unsubscribed, and keeps it for who comes at once", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const { client } = await world.sdk();
    const first = client.subscribe({}, () => {});
    await first.connected;
    first.unsubscribe();
    const before = world.proxy.bytesToServer;
    const second = client.subscribe({}, () => {});
    expect(second.state).toBe("active");
    await delay(250);
    expect(world.gateway.presence().subscriptions).toBe(1);
    expect(world.proxy.bytesToServer).toBe(before);
    second.unsubscribe();
    second.unsubscribe();
    await until(() => world.gateway.presence().subscriptions === 0);
    // One that is given up before it is answered is released, too.
    client.subscribe({ userIds: ["x"] }, () => {}).unsubscribe();
    const third = client.subscribe({}, () => {});
    await third.connected;
    await until(() => world.gateway.presence().subscriptions === 1);
    expect(third.state).toBe("active");
  });

  it("gets a large result whole, by query and by subscription, also over a cut in the middle", async (context) => {
    const world = await SdkWorld.make(context, transport, { MAX_CONNECTS_PER_SECOND: "1000" });
    const sdk = await world.sdk();
    const other = await world.gateway.connect();
    for (let i = 0; i < 1_000; i++) {
      other.send({ type: "open", userId: `user-${i}`, kind: "widget", custom: { text: "x".repeat(100) } });
    }
    await other.settled();
    await sdk.client.query({ userIds: [] });
    world.proxy.limit(400_000);
    const { bytesToClient } = world.proxy;
    const answer = sdk.client.query({});
    const watched = sdk.watch({});
    await until(() => world.proxy.bytesToClient > bytesToClient + 100_000);
    world.proxy.cut();
    world.proxy.limit(Number.POSITIVE_INFINITY);
    expect((await answer).size).toBe(1_000);
    expect((await watched.subscription.connected).size).toBe(1_000);
    expect(plain(await answer)).toEqual(plain(new Map(Object.entries(await world.gateway.query()))));
    expect(watched.changes).toHaveLength(1);
    // A client that wants fewer users gets an error, and the connection goes on.
    const small = await world.sdk({ tokenType: "app" }, { maxUsers: 500 });
    await expect(small.client.query({})).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    const tooMuch = small.watch({});
    await expect(tooMuch.subscription.connected).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect(tooMuch.subscription).toMatchObject({ state: "error", error: { code: "LIMIT_REACHED" } });
    await until(() => tooMuch.errors.length === 1);
    expect((await small.client.query({ userIds: ["user-1"] })).size).toBe(1);
    expect(small.statuses).toEqual(["connecting", "connected"]);
    await until(() => world.gateway.presence().subscriptions === 1);
  });

  it("declares a status, and counts", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const [alice, bob] = [await world.sdk("alice"), await world.sdk("bob")];
    const session = alice.client.open({ kind: "widget", selectedConversationId: "c1" });
    const watched = bob.watch({ userIds: ["alice"], fields: [] });
    const counts: number[] = [];
    subscribeCount(bob.client, { selectedConversationId: "c1" }, (count) => counts.push(count));
    await until(() => watched.data.alice !== undefined && counts.at(-1) === 1);
    expect(watched.data.alice).toEqual({ status: "online" });
    await setStatus(alice.client, { availability: "busy", text: "in a call", emoji: "📞" });
    await until(() => watched.data.alice?.status === "busy");
    expect(watched.data.alice).toEqual({ status: "busy", statusText: "in a call", statusEmoji: "📞" });
    await setStatus(alice.client, { availability: null, text: null, emoji: null });
    await until(() => watched.data.alice?.status === "online");
    session.set({ isIdle: true });
    await until(() => watched.data.alice?.status === "idle");
    session.typing();
    await until(() => watched.data.alice?.status === "online");
    const idle = bob.watch({ status: ["idle"] });
    session.set({ isIdle: true });
    await until(() => idle.data.alice !== undefined);
    world.proxy.cut();
    await until(() => [alice, bob].every(({ statuses }) => statuses.includes("reconnecting")));
    await until(() => [alice, bob].every(({ client }) => client.status() === "connected"));
    await setStatus(alice.client, { availability: "invisible" });
    await until(() => counts.at(-1) === 0 && watched.data.alice === undefined);
    const own = await alice.client.query({ userIds: ["alice"], fields: [] });
    expect(own.get("alice")).toEqual({ status: "invisible" });
    await expect(setStatus(alice.client, { text: "x".repeat(129) })).rejects.toMatchObject({
      code: "BAD_MESSAGE",
    });
    await setStatus(alice.client, { availability: null });
    await until(() => counts.at(-1) === 1);
  });

  it("tells what it is refused, and goes on", async (context) => {
    const world = await SdkWorld.make(context, transport, {
      MAX_SESSIONS_PER_SOCKET: "2",
      MAX_SUBSCRIPTIONS_PER_SOCKET: "2",
    });
    const sdk = await world.sdk({ tokenType: "user", sub: "alice" });
    const { client } = sdk;
    const own = sdk.watch({ userIds: ["alice"] });
    const foreign = sdk.watch({ userIds: ["bob"] });
    await expect(foreign.subscription.connected).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(foreign.subscription.state).toBe("error");
    await expect(client.query({})).rejects.toMatchObject({ code: "FORBIDDEN" });
    for (const bad of [{ hasFocus: 5 }, { userIds: "alice" }, { userIds: [""] }]) {
      await expect(client.subscribe(bad as never, () => {}).connected).rejects.toMatchObject({
        code: "BAD_MESSAGE",
      });
    }
    const ends: SessionEnd[] = [];
    const open = (options: object) =>
      client.open({ kind: "widget", onEnd: (end) => ends.push(end), ...options });
    open({ userId: "bob" });
    await until(() => ends.length === 1);
    open({ kind: "no such kind" });
    await until(() => ends.length === 2);
    const [first, second] = [open({}), open({})];
    const third = open({});
    await until(() => sdk.errors.length === 1);
    expect(ends.map(({ cause, error }) => [cause, error?.code])).toEqual([
      ["error", "FORBIDDEN"],
      ["error", "BAD_MESSAGE"],
    ]);
    expect([first.state, second.state, third.state]).toEqual(["open", "open", "pending"]);
    const last = client.subscribe({ userIds: ["alice"], isTyping: true }, () => {});
    await last.connected;
    const tooMany = client.subscribe({ userIds: ["alice"], isTyping: false }, () => {});
    await until(() => sdk.errors.length === 2);
    expect(sdk.errors.map(({ code }) => code)).toEqual(["LIMIT_REACHED", "LIMIT_REACHED"]);
    expect(tooMany.state).toBe("pending");
    // Both are there as soon as there is room.
    last.unsubscribe();
    first.close();
    await tooMany.connected;
    await until(() => third.state === "open");
    expect(() => client.subscribe(null as never, () => {})).toThrow(TypeError);
    expect(() => client.open({ kind: "widget", custom: { a: 1 } as never })).toThrow(TypeError);
    open({ kind: "background", key: "mine" });
    expect(() => open({ kind: "background", key: "mine" })).toThrow(TypeError);
    expect(own.subscription.state).toBe("active");
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
  });
});
