import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it as test } from "vitest";
import type { SessionEnd } from "../../src/client/types.ts";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import { APP } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { plain, TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { SdkWorld, widgets } from "./sdk-world.ts";

const it = test.concurrent;

describe.concurrent.each(TRANSPORTS)("the SDK, interrupted, with a gateway over %s", (transport) => {
  it("resumes unseen what a short cut interrupted", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const sdk = await world.sdk("alice");
    const observer = (await world.sdk()).watch({});
    const watched = sdk.watch({});
    const session = sdk.client.open({
      kind: "widget",
      selectedConversationId: "c1",
      custom: { a: "1", b: "2" },
    });
    await until(() => session.state === "open" && watched.subscription.snapshot?.size === 1);
    await until(() => observer.subscription.snapshot?.size === 1);
    const { id } = session;
    const kept = watched.subscription.snapshot!.get("alice");
    // The observer's socket goes through the same network: it is cut as well, and sees nothing of it either.
    world.proxy.cut();
    await until(() => session.state === "pending");
    expect(watched.subscription.state).toBe("active");
    expect(session.id).toBeUndefined();
    session.set({ custom: { a: null, c: "3" } });
    const other = await world.gateway.connect();
    await other.open({ userId: "bob" });
    await until(() => session.state === "open");
    await until(() => observer.data.alice?.widgets[0]?.custom.c === "3");
    await until(() => watched.subscription.snapshot?.size === 2);
    expect(session.id).toBe(id);
    expect(watched.changes.flatMap(({ left }) => left)).toEqual([]);
    expect(watched.changes.flatMap(({ entered }) => entered)).toEqual(["alice", "bob"]);
    expect(observer.changes.flatMap(({ left }) => left)).toEqual([]);
    expect(observer.data.alice?.widgets).toMatchObject([
      { custom: { b: "2", c: "3" }, selectedConversationId: "c1" },
    ]);
    expect(kept?.widgets[0]?.custom).toEqual({ a: "1", b: "2" });
    expect(sdk.statuses).toEqual(expect.arrayContaining(["connecting", "connected", "reconnecting"]));
    expect(sdk.errors).toEqual([]);
  });

  it.for([
    ["another id", {}],
    ["the same id", { NODE_ID: "gateway" }],
  ] as const)(
    "is back, with all it had, after a restart under %s of the gateway, which it leaves when it is told",
    async ([, env], context) => {
      const world = await SdkWorld.make(context, transport, { DRAIN_MS: "400", ...env });
      const sdk = await world.sdk();
      const watched = sdk.watch({ includeBackgroundSessions: true });
      const alice = sdk.client.open({ kind: "widget", userId: "alice", custom: { a: "1" } });
      const bob = sdk.client.open({ kind: "background", userId: "bob" });
      await until(() => watched.subscription.snapshot?.size === 2);
      const other = await world.gateway.connect();
      await other.open({ userId: "carol" });
      await until(() => watched.subscription.snapshot?.size === 3);
      const before = alice.id;
      const next = await world.restart(env);
      await until(
        () => alice.state === "open" && bob.state === "open" && watched.subscription.snapshot?.size === 2,
      );
      expect(alice.id).not.toBe(before);
      expect(watched.changes.flatMap(({ left }) => left)).toEqual([{ userId: "carol", cause: "timeout" }]);
      await until(() => watched.data.alice?.widgets[0]?.sessionId === alice.id);
      expect(watched.data).toEqual(
        plain(new Map(Object.entries(await next.query({ includeBackgroundSessions: true })))),
      );
    },
  );

  it("keeps who did not change the same object over a snapshot that starts anew", async (context) => {
    const world = await SdkWorld.make(context, transport, { DIFF_INTERVAL_MS: "0" });
    const sdk = await world.sdk();
    const watched = sdk.watch({});
    const other = await world.gateway.connect();
    for (const userId of ["alice", "bob"]) await other.open({ userId });
    await until(() => watched.subscription.snapshot?.size === 2);
    const { alice } = watched.data;
    world.proxy.refuse(true);
    world.proxy.cut();
    // More than is kept of what happened meanwhile.
    const bob = await other.open({ userId: "bob" });
    for (let i = 0; i < 300; i++) {
      await other.ask({ type: "update", sessionId: bob, custom: { i: `${i}` } });
    }
    await delay(100);
    world.proxy.refuse(false);
    await until(() => watched.data.bob?.widgets[1]?.custom.i === "299");
    expect(watched.data.alice).toBe(alice);
    expect(watched.changes.at(-1)!.entered).toEqual([]);
  });

  it("gets a fresh snapshot, and no flood, when it was too slow", async (context) => {
    const env = { MAX_BUFFERED_BYTES: "65536", DIFF_INTERVAL_MS: "0", MESSAGES_PER_SECOND: "1000000" };
    // The clock stands still: a client that is slow for long would be ended.
    const world = await SdkWorld.make(context, transport, env, { clock: new HandClock() });
    const sdk = await world.sdk();
    const watched = sdk.watch({});
    const other = await world.gateway.connect();
    const still = await other.open({ userId: "still" });
    const loud = await other.open({ userId: "loud" });
    await until(() => watched.subscription.snapshot?.size === 2);
    const value = watched.data.still;
    world.proxy.blackhole(true);
    const text = "x".repeat(512);
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, text]));
    let last = 0;
    /** Waits for the last change only: after a minute of silence the SDK would connect again. */
    const change = async (times: number) => {
      const end = last + times;
      for (; last < end; last++) {
        const update = { type: "update", sessionId: loud, custom: { ...custom, k0: `${last}` } };
        if (last < end - 1) other.send(update);
        else await other.ask(update);
      }
    };
    while (world.gateway.node.telemetry.lagged === 0) {
      if (last > 5_000) throw new Error("nobody ever lags");
      await change(20);
    }
    await change(100);
    world.proxy.blackhole(false);
    await until(() => watched.data.loud?.widgets[0]?.custom.k0 === `${last - 1}`);
    expect(watched.changes.length).toBeLessThan(last);
    expect(watched.data.still).toBe(value);
    expect(still).toBeTypeOf("string");
    expect(watched.changes.flatMap(({ left }) => left)).toEqual([]);
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
  });

  it("is another session when one is taken over, ends when it is kicked, and closes when it is closed", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const sdk = await world.sdk("alice");
    const ends: SessionEnd[] = [];
    const session = sdk.client.open({ kind: "widget", custom: { a: "1" }, onEnd: (end) => ends.push(end) });
    await until(() => session.state === "open");
    const { id } = session;
    const thief = await world.gateway.connect("alice");
    const takenAt = performance.now();
    expect(await thief.ask({ type: "open", kind: "widget", sessionId: id })).toMatchObject({ resumed: true });
    await until(() => session.state === "pending");
    session.set({ custom: { b: "2" } });
    await until(() => session.state === "open");
    expect(performance.now() - takenAt).toBeGreaterThan(900);
    expect(session.id).not.toBe(id);
    expect(thief.inbox.filter(({ type }) => type === "closed")).toEqual([]);
    await until(() => sdk.client.status() === "connected");
    expect((await widgets(world.gateway, "alice")).map(({ custom }) => custom)).toEqual([
      { a: "1" },
      { a: "1", b: "2" },
    ]);
    await world.gateway.http("DELETE", `/v1/${APP}/users/alice/sessions`);
    await until(() => ends.length === 1);
    expect(ends).toEqual([{ cause: "kicked" }]);
    expect(session.state).toBe("closed");
    session.close();
    world.proxy.cut();
    await delay(300);
    expect(await widgets(world.gateway, "alice")).toEqual([]);
    const brief = sdk.client.open({ kind: "widget" });
    brief.close();
    const another = sdk.client.open({ kind: "widget" });
    await until(() => another.state === "open");
    sdk.client.open({ kind: "widget" }).close();
    await sdk.client.query({ userIds: ["alice"] });
    await sdk.client.query({ userIds: ["alice"] });
    expect((await widgets(world.gateway, "alice")).map(({ sessionId }) => sessionId)).toEqual([another.id]);
    another.close();
    await until(() => world.gateway.presence().debugCounts().disconnected === 0);
    expect(ends).toHaveLength(1);
  });

  it("ends its sessions at once, and leaves nothing at the gateway, when it is closed", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const observer = (await world.sdk()).watch({});
    const sdk = await world.sdk("alice");
    const ends: unknown[] = [];
    const session = sdk.client.open({ kind: "widget", onEnd: (end) => ends.push(end) });
    sdk.watch({});
    await until(() => observer.subscription.snapshot?.size === 1);
    const query = sdk.client.query({}).catch((error) => error);
    await sdk.client.close();
    expect(session.state).toBe("closed");
    expect(await query).toMatchObject({ code: "CLOSED" });
    await until(() => observer.subscription.snapshot?.size === 0);
    expect(observer.changes.at(-1)!.left).toEqual([{ userId: "alice", cause: "closed" }]);
    await until(() => world.gateway.presence().sockets === 1);
    expect(world.gateway.presence().debugCounts()).toMatchObject({ disconnected: 0, subscriptions: 1 });
    expect(ends).toEqual([]);
    expect(sdk.errors).toEqual([]);
  });

  it("brings everything across in the end at a gateway that allows few messages", async (context) => {
    const world = await SdkWorld.make(context, transport, { MESSAGES_PER_SECOND: "5" });
    const sdk = await world.sdk("alice");
    const sessions = Array.from({ length: 8 }, (_, i) =>
      sdk.client.open({ kind: "widget", custom: { i: `${i}` } }),
    );
    const subscriptions = Array.from({ length: 8 }, (_, i) =>
      sdk.watch({ userIds: ["alice"], selectedConversationId: `c${i}` }),
    );
    await until(
      () =>
        sessions.every(({ state }) => state === "open") &&
        subscriptions.every(({ subscription }) => subscription.state === "active"),
    );
    for (const [i, session] of sessions.entries())
      session.set({ selectedConversationId: `c${i}`, custom: { i: null, j: `${i}` } });
    await until(() => subscriptions.every(({ data }, i) => data.alice?.widgets[0]?.custom.j === `${i}`));
    for (const session of sessions.slice(1)) session.close();
    await until(
      () => subscriptions.filter(({ subscription }) => subscription.snapshot!.size > 0).length === 1,
    );
    for (const { subscription } of subscriptions) subscription.unsubscribe();
    await until(() => world.gateway.presence().subscriptions === 0);
    expect(sdk.errors).toEqual([]);
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
  });

  it("notices a network that swallows everything, and is back when it no longer does", async (context) => {
    // On a busy machine the SDK asks several times before it believes that the connection is lost.
    const env = { HEARTBEAT_INTERVAL_MS: "2000", RESUME_WINDOW_MS: "3600000" };
    const world = await SdkWorld.make(context, transport, env);
    const sdk = await world.sdk("alice");
    const session = sdk.client.open({ kind: "widget" });
    await until(() => session.state === "open");
    const { id } = session;
    await delay(5_000);
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
    world.proxy.blackhole(true);
    await until(() => sdk.client.status() === "reconnecting");
    world.proxy.blackhole(false);
    await until(() => session.state === "open");
    expect(session.id).toBe(id);
  });

  it("keeps its connection over the expiry of a token, and ends what the new one does not allow", async (context) => {
    const world = await SdkWorld.make(context, transport);
    let asked = 0;
    const claims = (): TokenClaims =>
      ++asked === 1
        ? { tokenType: "user", sub: "alice", read: { userIds: ["bob"] } }
        : { tokenType: "user", sub: "alice" };
    const token = () => world.gateway.token(claims(), Math.floor(Date.now() / 1000) + (asked === 1 ? 6 : 60));
    const sdk = new TestSdk(`http://127.0.0.1:${world.proxy.port}`, token);
    context.onTestFinished(() => sdk.client.close());
    const session = sdk.client.open({ kind: "widget" });
    const own = sdk.watch({ userIds: ["alice"] });
    const bob = sdk.watch({ userIds: ["bob"] });
    await bob.subscription.connected;
    await until(() => bob.subscription.state === "error");
    expect(bob.errors).toMatchObject([{ code: "FORBIDDEN" }]);
    expect(asked).toBe(2);
    await delay(2_500);
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
    expect(session.state).toBe("open");
    expect(own.data.alice?.widgets).toHaveLength(1);
    expect(sdk.errors).toEqual([]);
  });

  it("does not come back with a token that is none", async (context) => {
    const world = await SdkWorld.make(context, transport);
    const sdk = new TestSdk(world.gateway.url, "nonsense");
    const ends: SessionEnd[] = [];
    sdk.client.open({ kind: "widget", onEnd: (end) => ends.push(end) });
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ cause: "error", error: { code: "UNAUTHENTICATED" } }]);
    expect(sdk.statuses).toEqual(["connecting", "failed"]);
    await sdk.client.close();
  });
});
