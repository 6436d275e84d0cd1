import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, type TestContext, it as test } from "vitest";
import { setStatus } from "../../src/client/set-status.ts";
import { subscribeCount } from "../../src/client/subscribe-count.ts";
import type { ClientOptions, PresenceSession, SessionEnd } from "../../src/client/types.ts";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import { APP, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TcpProxy } from "../support/proxy.ts";
import { plain, TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

type Transport = (typeof TRANSPORTS)[number];

/** A gateway behind a network, and SDK clients of it, for one test. */
class World {
  readonly gateway: TestGateway;
  readonly proxy: TcpProxy;
  readonly #context: TestContext;
  readonly #transport: Transport;

  private constructor(context: TestContext, transport: Transport, gateway: TestGateway, proxy: TcpProxy) {
    this.#context = context;
    this.#transport = transport;
    this.gateway = gateway;
    this.proxy = proxy;
  }

  static async make(
    context: TestContext,
    transport: Transport,
    env: Record<string, string> = {},
    options: Omit<TestGatewayOptions, "env"> = {},
  ): Promise<World> {
    const gateway = await TestGateway.start(transport, { env, ...options });
    const proxy = await TcpProxy.start(gateway.gateway.port);
    context.onTestFinished(async () => {
      await proxy.stop();
      await gateway.stop();
    });
    return new World(context, transport, gateway, proxy);
  }

  async sdk(
    claims: TokenClaims | string = { tokenType: "app" },
    options: Partial<ClientOptions> = {},
  ): Promise<TestSdk> {
    const token = await this.gateway.token(
      typeof claims === "string" ? { tokenType: "user", sub: claims, read: "all" } : claims,
    );
    const sdk = new TestSdk(`http://127.0.0.1:${this.proxy.port}`, token, options);
    this.#context.onTestFinished(() => sdk.client.close());
    return sdk;
  }

  /** A gateway that knows nothing of the one before, at the same address. */
  async restart(env: Record<string, string>): Promise<TestGateway> {
    const next = await TestGateway.start(this.#transport, { env: { RESUME_WINDOW_MS: "1500", ...env } });
    this.#context.onTestFinished(() => next.stop());
    this.proxy.retarget(next.gateway.port);
    await this.gateway.stop();
    return next;
  }
}

const it = test.concurrent;
const widgets = async (gateway: TestGateway, userId: string): Promise<PresenceSession[]> =>
  (await gateway.query({ userIds: [userId] }))[userId]?.widgets ?? [];

describe.concurrent.each(TRANSPORTS)("the SDK with a gateway over %s", (transport) => {
  it("opens nothing until it is needed, then one socket, and one view for each filter", async (context) => {
    const world = await World.make(context, transport);
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
    expect(world.proxy.accepted).toBe(1);
  });

  it("tells who entered, changed and left, and why, in snapshots that never change", async (context) => {
    const world = await World.make(context, transport, { RESUME_WINDOW_MS: "300", DIFF_INTERVAL_MS: "0" });
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
    const world = await World.make(context, transport);
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
    const world = await World.make(context, transport);
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

  it("resumes unseen what a short cut interrupted", async (context) => {
    const world = await World.make(context, transport);
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
      const world = await World.make(context, transport, { DRAIN_MS: "400", ...env });
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
    const world = await World.make(context, transport, { DIFF_INTERVAL_MS: "0" });
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

  it("gets a large result whole, by query and by subscription, also over a cut in the middle", async (context) => {
    const world = await World.make(context, transport, { MAX_CONNECTS_PER_SECOND: "1000" });
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

  it("gets a fresh snapshot, and no flood, when it was too slow", async (context) => {
    const env = { MAX_BUFFERED_BYTES: "65536", DIFF_INTERVAL_MS: "0", MESSAGES_PER_SECOND: "1000000" };
    // The clock stands still: a client that is slow for long would be ended.
    const world = await World.make(context, transport, env, { clock: new HandClock() });
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
    for (; world.gateway.node.telemetry.lagged === 0; last++) {
      if (last > 5_000) throw new Error("nobody ever lags");
      await other.ask({ type: "update", sessionId: loud, custom: { ...custom, k0: `${last}` } });
    }
    for (const end = last + 100; last < end; last++) {
      await other.ask({ type: "update", sessionId: loud, custom: { ...custom, k0: `${last}` } });
    }
    world.proxy.blackhole(false);
    await until(() => watched.data.loud?.widgets[0]?.custom.k0 === `${last - 1}`);
    expect(watched.changes.length).toBeLessThan(last);
    expect(watched.data.still).toBe(value);
    expect(still).toBeTypeOf("string");
    expect(watched.changes.flatMap(({ left }) => left)).toEqual([]);
    expect(sdk.statuses).toEqual(["connecting", "connected"]);
  });

  it("declares a status, and counts", async (context) => {
    const world = await World.make(context, transport);
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
    const world = await World.make(context, transport, {
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

  it("is another session when one is taken over, ends when it is kicked, and closes when it is closed", async (context) => {
    const world = await World.make(context, transport);
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
    const world = await World.make(context, transport);
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
    const world = await World.make(context, transport, { MESSAGES_PER_SECOND: "5" });
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
    const world = await World.make(context, transport, env);
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
    const world = await World.make(context, transport);
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
    const world = await World.make(context, transport);
    const sdk = new TestSdk(world.gateway.url, "nonsense");
    const ends: SessionEnd[] = [];
    sdk.client.open({ kind: "widget", onEnd: (end) => ends.push(end) });
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ cause: "error", error: { code: "UNAUTHENTICATED" } }]);
    expect(sdk.statuses).toEqual(["connecting", "failed"]);
    await sdk.client.close();
  });
});
