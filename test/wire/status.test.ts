import { afterEach, describe, expect, it } from "vitest";
import type { Received, TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("the status of a user over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const start = async (options: TestGatewayOptions = {}) => {
    gateway = await TestGateway.start(transport, {
      ...options,
      env: { DIFF_INTERVAL_MS: "0", ...options.env },
    });
  };
  const user = (sub: string) => gateway.connect({ tokenType: "user", sub });
  const declare = async (client: TestClient, fields: object) =>
    expect((await client.ask({ type: "status", ...fields })).type).toBe("ok");
  /** The next diff, as it stands in the frame: the order of the fields is part of it. */
  const nextValue = async (watcher: TestClient, userId: string): Promise<string> =>
    JSON.stringify((await watcher.next("diff")).data[userId]);

  it("is in each value, with text and emoji before the sessions, and each change is a diff", async () => {
    await start();
    const watcher = await gateway.connect();
    await watcher.subscribe({ fields: [] });
    const alice = await user("alice");
    await alice.open({});
    expect(await nextValue(watcher, "alice")).toBe('{"status":"online"}');
    await declare(alice, { availability: "busy", text: 'in a "call"', emoji: "📞" });
    const busy = '{"status":"busy","statusText":"in a \\"call\\"","statusEmoji":"📞"';
    expect(await nextValue(watcher, "alice")).toBe(`${busy}}`);
    const whole = JSON.stringify((await gateway.query({})).alice);
    expect(
      whole.startsWith(`${busy},"backgroundSessions":[],"widgets":[{"selectedConversationId":null,`),
    ).toBe(true);
    await declare(alice, { text: null });
    expect(await nextValue(watcher, "alice")).toBe('{"status":"busy","statusEmoji":"📞"}');
    await declare(alice, { availability: "dnd", emoji: "" });
    expect(await nextValue(watcher, "alice")).toBe('{"status":"dnd"}');
    await declare(alice, { availability: null });
    expect(await nextValue(watcher, "alice")).toBe('{"status":"online"}');
    // What changes nothing is no diff.
    await declare(alice, { availability: "available", text: null });
    await declare(alice, {});
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
  });

  it("is idle while every session is, and typing or gaining the focus ends that", async () => {
    await start();
    const watcher = await gateway.connect();
    await watcher.subscribe({ fields: [], includeBackgroundSessions: true });
    const alice = await user("alice");
    const one = await alice.open({ isIdle: true });
    const status = async () => JSON.parse(await nextValue(watcher, "alice")).status;
    const update = (fields: object, sessionId = one) => alice.ask({ type: "update", sessionId, ...fields });
    expect(await status()).toBe("idle");
    const other = await alice.open({ kind: "background" });
    expect(await status()).toBe("online");
    await update({ isIdle: true }, other);
    expect(await status()).toBe("idle");
    await update({ hasFocus: true });
    expect(await status()).toBe("online");
    // It has the focus already, and that it has it still says nothing.
    await update({ isIdle: true });
    expect(await status()).toBe("idle");
    await update({ hasFocus: true });
    await update({ isTyping: true, isIdle: true });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    await update({ isTyping: true });
    expect(await status()).toBe("online");
    await alice.ask({ type: "close", sessionId: one });
    expect(await status()).toBe("idle");
    expect((await gateway.query({ includeBackgroundSessions: true })).alice.backgroundSessions).toEqual([
      { selectedConversationId: null, custom: {}, hasFocus: false, isTyping: false, sessionId: other },
    ]);
  });

  it("ends when its time is over, whole", async () => {
    const clock = new HandClock();
    await start({ clock });
    const watcher = await gateway.connect();
    await watcher.subscribe({ fields: [] });
    const alice = await user("alice");
    await alice.open({});
    await watcher.next("diff");
    await declare(alice, { availability: "away", text: "lunch", expiresInMs: 2_000 });
    await declare(alice, { emoji: "🥗" });
    await watcher.next("diff");
    await watcher.next("diff");
    clock.turn(gateway, 1_950);
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    clock.turn(gateway, 50);
    expect(await nextValue(watcher, "alice")).toBe('{"status":"online"}');
  });

  it("outlives the sessions, and may be declared before there is one", async () => {
    await start();
    const app = await gateway.connect();
    await declare(app, { userId: "alice", availability: "dnd" });
    expect(await gateway.query({})).toEqual({});
    const alice = await user("alice");
    await alice.open({});
    expect((await gateway.query({})).alice.status).toBe("dnd");
    await alice.ask({ type: "close" });
    await declare(alice, { text: "gone" });
    await alice.open({});
    expect((await gateway.query({ fields: [] })).alice).toEqual({ status: "dnd", statusText: "gone" });
  });

  it("is declared by the user, or by a back end that names the user", async () => {
    await start();
    const [alice, app] = [await user("alice"), await gateway.connect()];
    const answers: [client: TestClient, fields: object, answer: object][] = [
      [alice, { userId: "bob", availability: "busy" }, { code: "FORBIDDEN" }],
      [app, { availability: "busy" }, { code: "BAD_MESSAGE", issues: [{ path: "userId" }] }],
      [app, { userId: "", availability: "busy" }, { code: "BAD_MESSAGE", issues: [{ path: "userId" }] }],
      [alice, { availability: "online" }, { code: "BAD_MESSAGE", issues: [{ path: "availability" }] }],
      [alice, { text: "x".repeat(129) }, { code: "BAD_MESSAGE", issues: [{ path: "text" }] }],
      [alice, { emoji: "\n" }, { code: "BAD_MESSAGE", issues: [{ path: "emoji" }] }],
      [alice, { expiresInMs: 999 }, { code: "BAD_MESSAGE", issues: [{ path: "expiresInMs" }] }],
      [alice, { availability: "busy", expiresInMs: 1.5 }, { code: "BAD_MESSAGE" }],
    ];
    for (const [client, fields, answer] of answers) {
      expect(await client.ask({ type: "status", ...fields })).toMatchObject({ type: "error", ...answer });
    }
    expect(gateway.presence().table.profiles.size).toBe(0);
    // Without an id a success is not answered.
    alice.send({ type: "status", availability: "busy" });
    await alice.settled();
    expect(alice.inbox).toEqual([]);
  });

  it("chooses users in a filter, also those who change it", async () => {
    await start();
    const app = await gateway.connect();
    for (const userId of ["alice", "bob", "carol"]) await app.open({ userId });
    await declare(app, { userId: "bob", availability: "busy" });
    await declare(app, { userId: "carol", availability: "invisible" });
    expect(Object.keys(await gateway.query({ status: ["busy", "online"] }))).toEqual(["alice", "bob"]);
    expect(Object.keys(await gateway.query({ status: ["busy", "online"], includeInvisible: true }))).toEqual([
      "alice",
      "bob",
    ]);
    const watcher = await gateway.connect();
    const { data } = await watcher.subscribe({ status: ["busy", "dnd"], fields: [] });
    expect(data).toEqual({ bob: { status: "busy" } });
    await declare(app, { userId: "alice", availability: "dnd" });
    expect((await watcher.next("diff")).data).toEqual({ alice: { status: "dnd" } });
    await declare(app, { userId: "bob", availability: "away" });
    expect(await watcher.next("diff")).toMatchObject({ data: { bob: null }, causes: { bob: "changed" } });
    const bad: [filter: object, path: string][] = [
      [{ status: [] }, "filter.status"],
      [{ status: ["invisible"] }, "filter.status"],
      [{ status: "busy" }, "filter.status"],
      [{ status: Array(6).fill("busy") }, "filter.status"],
    ];
    for (const [filter, path] of bad) {
      expect(await watcher.ask({ type: "query", filter })).toMatchObject({
        code: "BAD_MESSAGE",
        issues: [{ path }],
      });
      expect((await gateway.http("POST", `/v1/${APP}/presences`, filter)).json.reasons).toHaveProperty(
        "status",
      );
    }
  });

  describe("that is invisible", () => {
    const FILTERS = [
      {},
      { includeBackgroundSessions: true },
      { userIds: ["alice", "bob"] },
      { selectedConversationId: "c1" },
      { selectedConversationId: "c1", isTyping: true },
      { custom: { team: "billing" } },
      { fields: [] },
      { status: ["online", "busy"] },
    ];
    const SESSION = { selectedConversationId: "c1", isTyping: true, custom: { team: "billing" } };

    it("is seen as leaving, in every view, and nothing is seen after that", async () => {
      await start({ app: { indexedCustom: ["team"] } });
      const watcher = await gateway.connect();
      const alice = await user("alice");
      await alice.open(SESSION);
      const views: string[] = [];
      for (const filter of FILTERS) views.push((await watcher.subscribe(filter)).view);
      const counted = await watcher.ask({ type: "subscribe", filter: {}, count: true });
      expect(counted).toMatchObject({ type: "count", users: 1 });
      const events = await readEvents(gateway, {});
      await events.next();
      await declare(alice, { availability: "invisible" });
      for (const view of views) {
        const diff = await watcher.take((each) => each.type === "diff" && each.view === view);
        expect(diff).toMatchObject({ version: 2, data: { alice: null }, causes: { alice: "closed" } });
      }
      const { view } = counted;
      expect(await watcher.next("count")).toEqual({ type: "count", view, version: 2, users: 0 });
      expect(JSON.parse((await events.next()).data)).toMatchObject({ causes: { alice: "closed" } });
      // Whatever the user does now.
      await alice.ask({ type: "update", hasFocus: true, custom: { team: "x" }, isIdle: true });
      await declare(alice, { text: "boo" });
      const more = await alice.open({ ...SESSION, kind: "background" });
      await alice.ask({ type: "close", sessionId: more });
      await watcher.settled();
      expect(watcher.inbox).toEqual([]);
      for (const filter of FILTERS) {
        expect(await gateway.query(filter)).toEqual({});
        expect((await watcher.ask({ type: "query", filter })).data).toEqual({});
        expect((await watcher.ask({ type: "query", filter, count: true })).users).toBe(0);
      }
      const { json: stats } = await gateway.http("GET", `/v1/${APP}/stats`);
      expect(stats).toMatchObject({ users: 0, sessions: 0, widgets: 0, backgroundSessions: 0, focused: 0 });
      expect(stats).toMatchObject({ typing: 0, sockets: 2 });
      expect((await gateway.http("GET", `/v1/${APP}/users/alice/sessions`)).json).toEqual([]);
      // And appears again.
      await alice.ask({ type: "update", custom: { team: "billing" }, isTyping: true });
      await declare(alice, { availability: "busy" });
      for (const each of views) {
        const diff = await watcher.take((message) => message.type === "diff" && message.view === each);
        expect(diff.data.alice).toMatchObject({ status: "busy", statusText: "boo" });
      }
      expect(await watcher.next("count")).toEqual({ type: "count", view, version: 3, users: 1 });
      events.close();
    });

    it("is seen by the user, and by a back end that asks for it", async () => {
      await start();
      const alice = await gateway.connect({ tokenType: "user", sub: "alice", read: "all" });
      const own = await alice.ask({ type: "subscribe", filter: { userIds: ["alice"], fields: [] } });
      const app = await gateway.connect();
      await app.subscribe({ includeInvisible: true, fields: [] });
      await alice.open({});
      await alice.next("diff");
      await app.next("diff");
      await declare(alice, { availability: "invisible", emoji: "👻" });
      const value = { alice: { status: "invisible", statusEmoji: "👻" } };
      expect(await alice.next("diff")).toMatchObject({ view: own.view, data: value });
      expect((await app.next("diff")).data).toEqual(value);
      expect(await gateway.query({ includeInvisible: true, fields: [] })).toEqual(value);
      expect(await gateway.query({ includeInvisible: true, userIds: ["alice"], fields: [] })).toEqual(value);
      const ask = async (client: TestClient, filter: object): Promise<Received> =>
        (await client.ask({ type: "query", filter: { fields: [], ...filter } })).data;
      expect(await ask(alice, { userIds: ["alice"] })).toEqual(value);
      expect(await ask(alice, { userIds: ["alice", "bob"] })).toEqual({});
      expect(await ask(alice, {})).toEqual({});
      expect(await ask(app, { userIds: ["alice"] })).toEqual({});
      for (const filter of [{}, { userIds: ["alice"] }]) {
        expect(
          await alice.ask({ type: "query", filter: { ...filter, includeInvisible: true } }),
        ).toMatchObject({ code: "FORBIDDEN" });
      }
      await declare(alice, { availability: "dnd" });
      expect((await alice.next("diff")).data.alice.status).toBe("dnd");
    });

    it("may be declared while nobody is there, and its sessions are kicked like others", async () => {
      await start();
      const watcher = await gateway.connect();
      await watcher.subscribe({ includeBackgroundSessions: true });
      const alice = await user("alice");
      await declare(alice, { availability: "invisible" });
      await alice.open({});
      await alice.open({ kind: "background" });
      expect((await gateway.http("DELETE", `/v1/${APP}/users/alice/sessions`)).json).toEqual({ ended: 2 });
      expect(await alice.next("closed")).toMatchObject({ cause: "kicked" });
      await watcher.settled();
      expect(watcher.inbox).toEqual([]);
    });
  });
});
