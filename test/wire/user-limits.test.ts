import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// What one user can cost the others. In every test one user does all that is possible. Another user finds
// that everything still works for them, and that their limits are their own.

const LIMIT = { type: "error", code: "LIMIT_REACHED" };
const RATE = { type: "error", code: "RATE_LIMITED" };
/** 1000 ids of 245 characters: some 620 KB by the gateway's estimate. */
const manyIds = (name: string) => Array.from({ length: 1_000 }, (_, i) => `${name}-${i}`.padEnd(245, "x"));
/** Custom fields of exactly so many bytes of JSON. */
function customOf(bytes: number): Record<string, string> {
  const custom: Record<string, string> = {};
  const used = () => Buffer.byteLength(JSON.stringify(custom));
  for (let i = 0; used() < bytes; i++) {
    const key = `k${i}`;
    custom[key] = "";
    const left = bytes - used();
    // The next key and its quotes have to fit too, or nothing be left.
    custom[key] = "x".repeat(left > 512 && left < 530 ? 490 : Math.min(512, left));
  }
  expect(used()).toBe(bytes);
  return custom;
}

describe.each(TRANSPORTS)("over %s", (transport) => {
  /** Does not move by itself, so no allowance comes back, and nothing is due. */
  let clock: { time: number };
  let gateway: TestGateway;
  let bystander: TestClient;
  afterEach(() => gateway.stop());

  async function start(env: Record<string, string> = {}): Promise<void> {
    clock = { time: 1_000 };
    gateway = await TestGateway.start(transport, {
      env,
      clock: { now: () => clock.time, wallNow: Date.now },
    });
    bystander = await gateway.connect("bystander");
    await bystander.open({ custom: { a: "1" } });
  }

  function later(ms: number): void {
    clock.time += ms;
    gateway.node.run(clock.time);
  }

  /**
   * The other user has a whole burst, less what they used, may open, subscribe and ask, and sees what is
   * so.
   */
  async function expectUnharmed(): Promise<void> {
    for (let i = 0; i < 5; i++)
      expect((await bystander.ask({ type: "update", isTyping: true })).type).toBe("ok");
    await bystander.settled();
    const second = await bystander.open({ kind: "background", custom: customOf(4_096) });
    const { view } = await bystander.subscribe({ userIds: ["bystander", "nobody"] });
    expect(bystander.views.get(view)!.data.bystander.widgets).toHaveLength(1);
    expect((await bystander.ask({ type: "unsubscribe", view })).type).toBe("ok");
    expect((await bystander.ask({ type: "close", sessionId: second })).type).toBe("closed");
    expect(bystander.inbox.filter(({ type }) => type === "error")).toEqual([]);
    expect(gateway.log.join("")).not.toMatch(/crash|"level":(50|60)/);
  }

  const sessionsOf = (userId: string) =>
    (gateway.presence().table.user(userId)?.sessions ?? []).map(({ sessionId }) => sessionId);

  /** Loses the socket of a client, and waits until the gateway has noticed. */
  async function lose(client: TestClient): Promise<void> {
    const { sockets } = gateway.presence();
    client.terminate();
    await until(() => gateway.presence().sockets < sockets);
  }

  describe("the sessions of a user", () => {
    it("are at most 100, over all sockets and tokens", async () => {
      await start();
      const sockets = await Promise.all(Array.from({ length: 4 }, () => gateway.connect("mallory")));
      for (let i = 0; i < 100; i++) await sockets[i % 4]!.open({});
      for (const socket of sockets) {
        expect(await socket.ask({ type: "open", kind: "background" })).toMatchObject(LIMIT);
      }
      const app = await gateway.connect();
      expect(await app.ask({ type: "open", kind: "widget", userId: "mallory" })).toMatchObject(LIMIT);
      expect(sessionsOf("mallory")).toHaveLength(100);
      await app.open({ userId: "somebody" });
      // Existing sessions may be resumed, changed and closed; a user that closes one may open one.
      const [sessionId] = sessionsOf("mallory");
      expect(await sockets[3]!.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({
        resumed: true,
      });
      expect((await sockets[3]!.ask({ type: "update", sessionId, hasFocus: true })).type).toBe("ok");
      expect((await sockets[3]!.ask({ type: "close", sessionId })).type).toBe("closed");
      await sockets[0]!.open({});
      expect(await sockets[0]!.ask({ type: "open", kind: "widget" })).toMatchObject(LIMIT);
      await expectUnharmed();
    });

    it("that were lost make room, the one lost the longest ago first", async () => {
      await start({ MAX_SESSIONS_PER_USER: "3" });
      const [first, second, third] = [
        await gateway.connect("mallory"),
        await gateway.connect("mallory"),
        await gateway.connect("mallory"),
      ];
      const held = await first!.open({ custom: { is: "held" } });
      const lostLast = await second!.open({});
      const lostFirst = await third!.open({ custom: { is: "lost" } });
      await lose(third!);
      later(10);
      await lose(second!);
      later(10);
      const watcher = await gateway.connect();
      const { view } = await watcher.subscribe({ userIds: ["mallory"] });
      const opened = await first!.open({});
      expect(sessionsOf("mallory")).toEqual([held, lostLast, opened]);
      await watcher.take((message) => message.type === "diff" && message.view === view);
      const back = await gateway.connect("mallory");
      const resume = (sessionId: string) => back.ask({ type: "open", kind: "widget", sessionId });
      expect(await resume(lostLast)).toMatchObject({ resumed: true });
      // It is lost no more, so there is no room any more.
      expect(await resume(lostFirst)).toMatchObject(LIMIT);
      expect(sessionsOf("mallory")).toHaveLength(3);
      expect(await first!.ask({ type: "open", kind: "widget" })).toMatchObject(LIMIT);
      await expectUnharmed();
    });

    it("end with the cause timeout for subscribers, as if their window were over", async () => {
      await start({ MAX_SESSIONS_PER_USER: "2" });
      const watcher = await gateway.connect();
      const gone = await gateway.connect("mallory");
      await gone.open({ selectedConversationId: "c1" });
      const { view } = await watcher.subscribe({ selectedConversationId: "c1" });
      await lose(gone);
      const again = await gateway.connect("mallory");
      for (let i = 0; i < 2; i++) await again.open({ selectedConversationId: "c2" });
      const diff = await watcher.take((message) => message.type === "diff" && message.view === view);
      expect(diff).toMatchObject({ data: { mallory: null }, causes: { mallory: "timeout" } });
      await expectUnharmed();
    });

    it("are no more for reconnecting without an end", async () => {
      await start({ MAX_SESSIONS_PER_USER: "10", MESSAGES_PER_SECOND: "1000" });
      for (let round = 0; round < 20; round++) {
        const client = await gateway.connect("mallory");
        for (let i = 0; i < 10; i++) await client.open({ custom: { at: `${round} ${i}` } });
        await lose(client);
      }
      expect(sessionsOf("mallory")).toHaveLength(10);
      expect(gateway.presence().debugCounts()).toMatchObject({ sessions: 11, disconnected: 10 });
      await expectUnharmed();
    });
  });

  describe("custom fields", () => {
    const refused = { code: "BAD_MESSAGE", issues: [{ path: "custom" }] };

    it("have at most 4096 bytes a session, however they are written, and a refused patch changes nothing", async () => {
      await start();
      const client = await gateway.connect("mallory");
      const whole = customOf(4_096);
      const sessionId = await client.open({ custom: whole });
      const before = await gateway.query();
      for (const custom of [
        { y: "" },
        { k0: `${whole.k0!.slice(1)}é` },
        { k0: `${whole.k0!.slice(1)}\u0001` },
      ]) {
        expect(await client.ask({ type: "update", hasFocus: true, custom })).toMatchObject(refused);
      }
      const tooLarge = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, '"'.repeat(500)]));
      expect(await client.ask({ type: "open", kind: "widget", custom: tooLarge })).toMatchObject(refused);
      // Nor is anything taken over.
      const other = await gateway.connect("mallory");
      const resuming = { type: "open", kind: "widget", sessionId, custom: { y: "" } };
      expect(await other.ask(resuming)).toMatchObject(refused);
      expect(await gateway.query()).toEqual(before);
      expect((await client.ask({ type: "update", custom: { k0: `${whole.k0!.slice(1)}y` } })).type).toBe(
        "ok",
      );
      expect((await client.ask({ type: "update", custom: { k0: null, y: "" } })).type).toBe("ok");
      await expectUnharmed();
    });

    it("have at most 65536 bytes over all sessions of a user", async () => {
      await start({ MAX_SESSIONS_PER_USER: "18" });
      const client = await gateway.connect("mallory");
      const ids: string[] = [];
      for (let i = 0; i < 15; i++) ids.push(await client.open({ custom: customOf(4_096) }));
      const last = await client.open({ custom: customOf(4_000) });
      await client.open({ custom: customOf(94) });
      const before = await gateway.query();
      const app = await gateway.connect();
      const three = { a: "" };
      expect(await client.ask({ type: "open", kind: "widget", custom: three })).toMatchObject(LIMIT);
      expect(await app.ask({ type: "open", kind: "widget", userId: "mallory", custom: three })).toMatchObject(
        LIMIT,
      );
      const grown = { z: "x".repeat(60) };
      expect(
        await client.ask({ type: "update", sessionId: last, hasFocus: true, custom: grown }),
      ).toMatchObject(LIMIT);
      expect(await gateway.query()).toEqual(before);
      // One without custom fields is two bytes, for which there is room; then there is none.
      ids.push(await client.open({}));
      expect(await client.ask({ type: "update", sessionId: ids.at(-1), custom: three })).toMatchObject(LIMIT);
      expect((await client.ask({ type: "update", sessionId: ids[0], custom: { k0: null } })).type).toBe("ok");
      expect((await client.ask({ type: "update", sessionId: ids.at(-1), custom: three })).type).toBe("ok");
      // At the limit of sessions too: what a lost one gives up is free for the one that takes its place.
      await lose(client);
      later(1);
      const again = await gateway.connect("mallory");
      expect(await again.ask({ type: "open", kind: "widget", custom: customOf(3_000) })).toMatchObject({
        resumed: false,
      });
      expect(sessionsOf("mallory")).toHaveLength(18);
      await expectUnharmed();
    });
  });

  describe("the messages of a user", () => {
    it("are four times a socket's over all sockets, however often they reconnect", async () => {
      await start({ MESSAGES_PER_SECOND: "10" });
      // Each has a burst of 20 of its own, and connects for one of the 80 of the user.
      const sockets = await Promise.all(Array.from({ length: 6 }, () => gateway.connect("mallory")));
      for (const socket of sockets) for (let id = 1; id <= 20; id++) socket.send({ type: "ping", id });
      for (const socket of sockets) await socket.take(({ id }) => id === 20);
      const answers = (type: string) =>
        sockets.flatMap(({ inbox }) => inbox.filter((each) => each.type === type));
      // Of the twenty answers of each, one was taken from its inbox.
      expect(gateway.node.telemetry.messages.ping).toBe(80 - 6);
      expect(
        answers("error").every((error) => error.code === "RATE_LIMITED" && error.retryAfterMs === 25),
      ).toBe(true);
      await Promise.all(sockets.map(lose));
      const again = await gateway.socket();
      const token = await gateway.token({ tokenType: "user", sub: "mallory" });
      again.send({ type: "connect", id: 5, token });
      expect(await again.next("error")).toMatchObject({ ...RATE, id: 5 });
      later(25);
      again.send({ type: "connect", token });
      await again.next("connected");
      expect(await again.ask({ type: "ping" })).toMatchObject(RATE);
      await expectUnharmed();
      later(2_000);
      for (let i = 0; i < 20; i++) await again.settled();
      await lose(again);
      bystander.terminate();
      await until(() => gateway.presence().sockets === 0);
      // The other user let go of a view, which is kept, and charged to them, for a minute.
      later(61_000);
      expect(gateway.presence().debugCounts().budgets).toBe(0);
    });

    it("have 262144 bytes a second, with a burst of twice that, and are not read when that is used up", async () => {
      await start();
      const client = await gateway.connect("mallory");
      const other = await gateway.connect("mallory");
      const pad = "x".repeat(261_000);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      expect(await other.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      const refusal = await client.ask({ type: "ping", pad });
      expect(refusal).toMatchObject(RATE);
      expect(refusal.retryAfterMs).toBeGreaterThan(980);
      expect(refusal.retryAfterMs).toBeLessThan(1_000);
      // It is not JSON, and is not parsed.
      other.send(`{"type":"ping","id":7,${pad}`);
      expect(await other.next("error")).toMatchObject({ ...RATE, id: 7 });
      later(refusal.retryAfterMs);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      await expectUnharmed();
      // An app token has a hundred times that.
      const app = await gateway.connect();
      for (let i = 0; i < 20; i++) expect((await app.ask({ type: "ping", pad })).type).toBe("pong");
    });

    it("may be as large as the setting says, though that is more than the burst", async () => {
      await start({ MAX_MESSAGE_BYTES: "1048576" });
      const client = await gateway.connect("mallory");
      // To connect has used some of it.
      later(10);
      const pad = "x".repeat(1_048_000);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      expect(await client.ask({ type: "ping", pad })).toMatchObject(RATE);
      later(4_000);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      await expectUnharmed();
    });

    it("that are large and refused end the socket sooner than small ones", async () => {
      await start();
      const client = await gateway.connect("mallory");
      const pad = "x".repeat(261_000);
      for (let i = 0; i < 12; i++) client.send({ type: "ping", pad });
      expect((await client.closed).code).toBe(4429);
      expect(gateway.node.telemetry.messages.ping).toBe(2);
      await expectUnharmed();
    });
  });

  it("the sockets of a user are bounded over all addresses", async () => {
    await start({ MAX_CONNECTIONS_PER_IP: "3", TRUST_PROXY: "127.0.0.1" });
    const token = await gateway.token({ tokenType: "user", sub: "mallory" });
    const dial = async (i: number) => {
      const client = await gateway.socket({ headers: { "x-forwarded-for": `10.0.0.${i}` } });
      client.send({ type: "connect", id: 1, token });
      return client;
    };
    const sockets = [await dial(1), await dial(2), await dial(3)];
    for (const socket of sockets) await socket.next("connected");
    const fourth = await dial(4);
    expect(await fourth.next("error")).toMatchObject({ ...LIMIT, id: 1 });
    expect((await fourth.closed).code).toBe(1013);
    await lose(sockets[0]!);
    await (await dial(5)).next("connected");
    await expectUnharmed();
  });

  describe("the subscriptions of a user", () => {
    beforeEach(() =>
      start({ MAX_SUBSCRIPTION_BYTES_PER_USER: "1048576", MAX_SUBSCRIPTIONS_PER_SOCKET: "3" }),
    );
    const grant = { tokenType: "user", sub: "mallory", read: { conversationIds: ["c"] } } as const;
    const filterOf = (name: string) => ({ selectedConversationId: "c", userIds: manyIds(name) });

    it("are charged in bytes, over all sockets", async () => {
      const [one, other] = [await gateway.connect(grant), await gateway.connect(grant)];
      const { view } = await one.subscribe(filterOf("a"));
      later(2_000);
      expect(await other.subscribe(filterOf("b"))).toMatchObject(LIMIT);
      // The same filter keeps no more.
      expect(await other.subscribe(filterOf("a"))).toMatchObject({ type: "snapshot", view });
      later(2_000);
      await one.ask({ type: "unsubscribe", view });
      expect(await one.subscribe(filterOf("b"))).toMatchObject(LIMIT);
      await lose(other);
      later(2_000);
      expect((await one.subscribe(filterOf("b"))).type).toBe("snapshot");
      await expectUnharmed();
    });

    it("that were let go of make room, and those of others stay", async () => {
      const own = await gateway.connect({ tokenType: "user", sub: "bystander" });
      const { view, version } = await own.subscribe({ userIds: ["bystander"] });
      await own.ask({ type: "unsubscribe", view });
      const client = await gateway.connect(grant);
      for (let i = 0; i < 20; i++) {
        const snapshot = await client.subscribe(filterOf(`${i}`));
        expect(snapshot.type).toBe("snapshot");
        await client.ask({ type: "unsubscribe", view: snapshot.view });
        later(2_000);
      }
      // Of the twenty views the last is kept.
      const left = gateway.presence().debugCounts();
      expect(left.idle).toBe(2);
      expect(left.idleBytes).toBeLessThan(1_048_576 + 65_536);
      expect(await own.subscribe({ userIds: ["bystander"] }, { view, version })).toMatchObject({
        type: "resumed",
      });
      // Idle views expire, and with them the charges; then nothing is kept for a user that left.
      await lose(client);
      later(61_000);
      later(2_100);
      expect(gateway.presence().debugCounts()).toMatchObject({ budgets: 1, idle: 0, idleBytes: 0 });
      await expectUnharmed();
    });

    it("have at most four times as many filters as those of a socket", async () => {
      const sockets = await Promise.all(Array.from({ length: 5 }, () => gateway.connect(grant)));
      const filter = (n: number) => ({ selectedConversationId: "c", userIds: [`user-${n}`] });
      let n = 0;
      const views: string[] = [];
      for (const socket of sockets.slice(0, 4)) {
        for (let i = 0; i < 3; i++) views.push((await socket.subscribe(filter(n++))).view);
      }
      expect(await sockets[4]!.subscribe(filter(n))).toMatchObject(LIMIT);
      expect((await sockets[4]!.subscribe(filter(0))).type).toBe("snapshot");
      await sockets[3]!.ask({ type: "unsubscribe", view: views.at(-1) });
      expect((await sockets[4]!.subscribe(filter(n))).type).toBe("snapshot");
      expect(gateway.presence().debugCounts().idle).toBe(0);
      await expectUnharmed();
    });

    it("are charged for the size of the result, and for queries", async () => {
      const app = await gateway.connect();
      for (let i = 0; i < 400; i++) {
        app.send({
          type: "open",
          kind: "widget",
          userId: `u${i}`,
          selectedConversationId: "c",
          custom: customOf(4_000),
        });
      }
      await app.settled();
      const client = await gateway.connect(grant);
      expect(await client.subscribe({ selectedConversationId: "c" })).toMatchObject(LIMIT);
      expect(gateway.presence().debugCounts()).toMatchObject({ views: 0, idle: 0 });
      const answer = await client.ask({ type: "query", filter: { selectedConversationId: "c" } });
      expect(answer.type).toBe("result");
      // An app token is not charged.
      expect((await app.subscribe({ selectedConversationId: "c" })).type).toBe("snapshot");
      await expectUnharmed();
    });
  });

  it("a view that has grown beyond what a user may keep stays, and no other is added", async () => {
    await start({ MAX_SUBSCRIPTION_BYTES_PER_USER: "1048576", DIFF_INTERVAL_MS: "0" });
    const grant = { tokenType: "user", sub: "mallory", read: { conversationIds: ["c", "d"] } } as const;
    const [client, other] = [await gateway.connect(grant), await gateway.connect(grant)];
    const filter = { selectedConversationId: "c" };
    const { view } = await client.subscribe(filter);
    const app = await gateway.connect();
    const ids: string[] = [];
    for (let i = 0; i < 300; i++) {
      const custom = customOf(4_000);
      ids.push(await app.open({ userId: `u${i}`, selectedConversationId: "c", custom }));
    }
    const size = () => Object.keys(client.views.get(view)!.data).length;
    await until(() => {
      later(1_000);
      return size() === 300;
    });
    expect(await client.subscribe({ selectedConversationId: "d" })).toMatchObject(LIMIT);
    // What the user has goes on, on other sockets too, and so do queries.
    expect(await other.subscribe(filter)).toMatchObject({ type: "snapshot", view });
    later(2_000);
    expect((await other.ask({ type: "query", filter: { selectedConversationId: "d" } })).type).toBe("result");
    for (const sessionId of ids.slice(100)) await app.ask({ type: "close", sessionId });
    await until(() => {
      later(1_000);
      return size() === 100;
    });
    expect((await client.subscribe({ selectedConversationId: "d" })).type).toBe("snapshot");
    await expectUnharmed();
  });

  it("more sessions than fit into a message, where settings allow them, end no subscription", async () => {
    await start({
      MAX_SESSIONS_PER_USER: "1500",
      MAX_SESSIONS_PER_SOCKET: "1500",
      MESSAGES_PER_SECOND: "10000",
      DIFF_INTERVAL_MS: "0",
    });
    const mallory = await gateway.connect("mallory");
    // 255 characters of three bytes.
    const selectedConversationId = "\u4e2d".repeat(255);
    for (let i = 0; i < 1_400; i += 100) {
      const opening = Array.from({ length: 100 }, () => mallory.open({ selectedConversationId }));
      await Promise.all(opening);
      // A second's worth of bytes comes back.
      later(1_000);
    }
    expect(gateway.presence().table.user("mallory")!.sessions.length).toBe(1_400);
    const { view } = await bystander.subscribe({});
    const watched = () => bystander.views.get(view)!.data;
    const { mallory: value } = watched();
    const listed = value.widgets.length;
    expect(listed).toBeGreaterThan(1_000);
    expect(listed).toBeLessThan(1_400);
    // What is listed is the same at every door, and others' changes come.
    expect((await gateway.query({})).mallory).toEqual(value);
    await mallory.open({ selectedConversationId });
    await bystander.ask({ type: "update", custom: { a: "2" } });
    await until(() => {
      later(1_000);
      return watched().bystander.widgets[0].custom.a === "2";
    });
    expect(watched().mallory).toEqual(value);
    await expectUnharmed();
  });
});
