import { afterEach, describe, expect, it } from "vitest";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { BystanderWorld, customOf } from "./bystander-world.ts";

// What one user can cost the others. In every test one user does all that is possible. Another user finds
// that everything still works for them, and that their limits are their own.

const LIMIT = { type: "error", code: "LIMIT_REACHED" };
const RATE = { type: "error", code: "RATE_LIMITED" };

describe.each(TRANSPORTS)("over %s", (transport) => {
  const world = new BystanderWorld(transport);
  afterEach(() => world.stop());

  const sessionsOf = (userId: string) =>
    (world.gateway.presence().table.user(userId)?.sessions ?? []).map(({ sessionId }) => sessionId);

  describe("the sessions of a user", () => {
    it("are at most 100, over all sockets and tokens", async () => {
      await world.start();
      const sockets = await Promise.all(Array.from({ length: 4 }, () => world.gateway.connect("mallory")));
      for (let i = 0; i < 100; i++) await sockets[i % 4]!.open({});
      for (const socket of sockets) {
        expect(await socket.ask({ type: "open", kind: "background" })).toMatchObject(LIMIT);
      }
      const app = await world.gateway.connect();
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
      await world.expectUnharmed();
    });

    it("that were lost make room, the one lost the longest ago first", async () => {
      await world.start({ MAX_SESSIONS_PER_USER: "3" });
      const [first, second, third] = [
        await world.gateway.connect("mallory"),
        await world.gateway.connect("mallory"),
        await world.gateway.connect("mallory"),
      ];
      const held = await first!.open({ custom: { is: "held" } });
      const lostLast = await second!.open({});
      const lostFirst = await third!.open({ custom: { is: "lost" } });
      await world.lose(third!);
      world.later(10);
      await world.lose(second!);
      world.later(10);
      const watcher = await world.gateway.connect();
      const { view } = await watcher.subscribe({ userIds: ["mallory"] });
      const opened = await first!.open({});
      expect(sessionsOf("mallory")).toEqual([held, lostLast, opened]);
      await watcher.take((message) => message.type === "diff" && message.view === view);
      const back = await world.gateway.connect("mallory");
      const resume = (sessionId: string) => back.ask({ type: "open", kind: "widget", sessionId });
      expect(await resume(lostLast)).toMatchObject({ resumed: true });
      // It is lost no more, so there is no room any more.
      expect(await resume(lostFirst)).toMatchObject(LIMIT);
      expect(sessionsOf("mallory")).toHaveLength(3);
      expect(await first!.ask({ type: "open", kind: "widget" })).toMatchObject(LIMIT);
      await world.expectUnharmed();
    });

    it("end with the cause timeout for subscribers, as if their window were over", async () => {
      await world.start({ MAX_SESSIONS_PER_USER: "2" });
      const watcher = await world.gateway.connect();
      const gone = await world.gateway.connect("mallory");
      await gone.open({ selectedConversationId: "c1" });
      const { view } = await watcher.subscribe({ selectedConversationId: "c1" });
      await world.lose(gone);
      const again = await world.gateway.connect("mallory");
      for (let i = 0; i < 2; i++) await again.open({ selectedConversationId: "c2" });
      const diff = await watcher.take((message) => message.type === "diff" && message.view === view);
      expect(diff).toMatchObject({ data: { mallory: null }, causes: { mallory: "timeout" } });
      await world.expectUnharmed();
    });

    it("are no more for reconnecting without an end", async () => {
      await world.start({ MAX_SESSIONS_PER_USER: "10", MESSAGES_PER_SECOND: "1000" });
      for (let round = 0; round < 20; round++) {
        const client = await world.gateway.connect("mallory");
        for (let i = 0; i < 10; i++) await client.open({ custom: { at: `${round} ${i}` } });
        await world.lose(client);
      }
      expect(sessionsOf("mallory")).toHaveLength(10);
      expect(world.gateway.presence().debugCounts()).toMatchObject({ sessions: 11, disconnected: 10 });
      await world.expectUnharmed();
    });
  });

  describe("custom fields", () => {
    const refused = { code: "BAD_MESSAGE", issues: [{ path: "custom" }] };

    it("have at most 4096 bytes a session, however they are written, and a refused patch changes nothing", async () => {
      await world.start();
      const client = await world.gateway.connect("mallory");
      const whole = customOf(4_096);
      const sessionId = await client.open({ custom: whole });
      const before = await world.gateway.query();
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
      const other = await world.gateway.connect("mallory");
      const resuming = { type: "open", kind: "widget", sessionId, custom: { y: "" } };
      expect(await other.ask(resuming)).toMatchObject(refused);
      expect(await world.gateway.query()).toEqual(before);
      expect((await client.ask({ type: "update", custom: { k0: `${whole.k0!.slice(1)}y` } })).type).toBe(
        "ok",
      );
      expect((await client.ask({ type: "update", custom: { k0: null, y: "" } })).type).toBe("ok");
      await world.expectUnharmed();
    });

    it("have at most 65536 bytes over all sessions of a user", async () => {
      await world.start({ MAX_SESSIONS_PER_USER: "18" });
      const client = await world.gateway.connect("mallory");
      const ids: string[] = [];
      for (let i = 0; i < 15; i++) ids.push(await client.open({ custom: customOf(4_096) }));
      const last = await client.open({ custom: customOf(4_000) });
      await client.open({ custom: customOf(94) });
      const before = await world.gateway.query();
      const app = await world.gateway.connect();
      const three = { a: "" };
      expect(await client.ask({ type: "open", kind: "widget", custom: three })).toMatchObject(LIMIT);
      expect(await app.ask({ type: "open", kind: "widget", userId: "mallory", custom: three })).toMatchObject(
        LIMIT,
      );
      const grown = { z: "x".repeat(60) };
      expect(
        await client.ask({ type: "update", sessionId: last, hasFocus: true, custom: grown }),
      ).toMatchObject(LIMIT);
      expect(await world.gateway.query()).toEqual(before);
      // One without custom fields is two bytes, for which there is room; then there is none.
      ids.push(await client.open({}));
      expect(await client.ask({ type: "update", sessionId: ids.at(-1), custom: three })).toMatchObject(LIMIT);
      expect((await client.ask({ type: "update", sessionId: ids[0], custom: { k0: null } })).type).toBe("ok");
      expect((await client.ask({ type: "update", sessionId: ids.at(-1), custom: three })).type).toBe("ok");
      // At the limit of sessions too: what a lost one gives up is free for the one that takes its place.
      await world.lose(client);
      world.later(1);
      const again = await world.gateway.connect("mallory");
      expect(await again.ask({ type: "open", kind: "widget", custom: customOf(3_000) })).toMatchObject({
        resumed: false,
      });
      expect(sessionsOf("mallory")).toHaveLength(18);
      await world.expectUnharmed();
    });
  });

  describe("the messages of a user", () => {
    it("are four times a socket's over all sockets, however often they reconnect", async () => {
      await world.start({ MESSAGES_PER_SECOND: "10" });
      // Each has a burst of 20 of its own, and connects for one of the 80 of the user.
      const sockets = await Promise.all(Array.from({ length: 6 }, () => world.gateway.connect("mallory")));
      for (const socket of sockets) for (let id = 1; id <= 20; id++) socket.send({ type: "ping", id });
      for (const socket of sockets) await socket.take(({ id }) => id === 20);
      const answers = (type: string) =>
        sockets.flatMap(({ inbox }) => inbox.filter((each) => each.type === type));
      // Of the twenty answers of each, one was taken from its inbox.
      expect(world.gateway.node.telemetry.messages.ping).toBe(80 - 6);
      expect(
        answers("error").every((error) => error.code === "RATE_LIMITED" && error.retryAfterMs === 25),
      ).toBe(true);
      for (const socket of sockets) await world.lose(socket);
      const again = await world.gateway.socket();
      const token = await world.gateway.token({ tokenType: "user", sub: "mallory" });
      again.send({ type: "connect", id: 5, token });
      expect(await again.next("error")).toMatchObject({ ...RATE, id: 5 });
      world.later(25);
      again.send({ type: "connect", token });
      await again.next("connected");
      expect(await again.ask({ type: "ping" })).toMatchObject(RATE);
      await world.expectUnharmed();
      world.later(2_000);
      for (let i = 0; i < 20; i++) await again.settled();
      await world.lose(again);
      world.bystander.terminate();
      await until(() => world.gateway.presence().sockets === 0);
      // The other user let go of a view, which is kept, and charged to them, for a minute.
      world.later(61_000);
      expect(world.gateway.presence().debugCounts().budgets).toBe(0);
    });

    it("have 262144 bytes a second, with a burst of twice that, and are not read when that is used up", async () => {
      await world.start();
      const client = await world.gateway.connect("mallory");
      const other = await world.gateway.connect("mallory");
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
      world.later(refusal.retryAfterMs);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      await world.expectUnharmed();
      // An app token has a hundred times that.
      const app = await world.gateway.connect();
      for (let i = 0; i < 20; i++) expect((await app.ask({ type: "ping", pad })).type).toBe("pong");
    });

    it("may be as large as the setting says, though that is more than the burst", async () => {
      await world.start({ MAX_MESSAGE_BYTES: "1048576" });
      const client = await world.gateway.connect("mallory");
      // To connect has used some of it.
      world.later(10);
      const pad = "x".repeat(1_048_000);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      expect(await client.ask({ type: "ping", pad })).toMatchObject(RATE);
      world.later(4_000);
      expect(await client.ask({ type: "ping", pad })).toMatchObject({ type: "pong" });
      await world.expectUnharmed();
    });

    it("that are large and refused end the socket sooner than small ones", async () => {
      await world.start();
      const client = await world.gateway.connect("mallory");
      const pad = "x".repeat(261_000);
      for (let i = 0; i < 12; i++) client.send({ type: "ping", pad });
      expect((await client.closed).code).toBe(4429);
      expect(world.gateway.node.telemetry.messages.ping).toBe(2);
      await world.expectUnharmed();
    });
  });

  it("the sockets of a user are bounded over all addresses", async () => {
    await world.start({ MAX_CONNECTIONS_PER_IP: "3", TRUST_PROXY: "127.0.0.1" });
    const token = await world.gateway.token({ tokenType: "user", sub: "mallory" });
    const dial = async (i: number) => {
      const client = await world.gateway.socket({ headers: { "x-forwarded-for": `10.0.0.${i}` } });
      client.send({ type: "connect", id: 1, token });
      return client;
    };
    const sockets = [await dial(1), await dial(2), await dial(3)];
    for (const socket of sockets) await socket.next("connected");
    const fourth = await dial(4);
    expect(await fourth.next("error")).toMatchObject({ ...LIMIT, id: 1 });
    expect((await fourth.closed).code).toBe(1013);
    await world.lose(sockets[0]!);
    await (await dial(5)).next("connected");
    await world.expectUnharmed();
  });

  it("more sessions than fit into a message, where settings allow them, end no subscription", async () => {
    await world.start({
      MAX_SESSIONS_PER_USER: "1500",
      MAX_SESSIONS_PER_SOCKET: "1500",
      MESSAGES_PER_SECOND: "10000",
      DIFF_INTERVAL_MS: "0",
    });
    const mallory = await world.gateway.connect("mallory");
    // 255 characters of three bytes.
    const selectedConversationId = "\u4e2d".repeat(255);
    for (let i = 0; i < 1_400; i += 100) {
      const opening = Array.from({ length: 100 }, () => mallory.open({ selectedConversationId }));
      await Promise.all(opening);
      // A second's worth of bytes comes back.
      world.later(1_000);
    }
    expect(world.gateway.presence().table.user("mallory")!.sessions.length).toBe(1_400);
    const { view } = await world.bystander.subscribe({});
    const watched = () => world.bystander.views.get(view)!.data;
    const { mallory: value } = watched();
    const listed = value.widgets.length;
    expect(listed).toBeGreaterThan(1_000);
    expect(listed).toBeLessThan(1_400);
    // What is listed is the same at every door, and others' changes come.
    expect((await world.gateway.query({})).mallory).toEqual(value);
    await mallory.open({ selectedConversationId });
    await world.bystander.ask({ type: "update", custom: { a: "2" } });
    await until(() => {
      world.later(1_000);
      return watched().bystander.widgets[0].custom.a === "2";
    });
    expect(watched().mallory).toEqual(value);
    await world.expectUnharmed();
  });
});
