import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { forge, HS256, userToken } from "../support/forge.ts";
import { SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

const ALICE = { tokenType: "user", sub: "alice" } as const;
const APP_TOKEN = { tokenType: "app" } as const;

describe.each(TRANSPORTS)("the life of a token over %s", (transport) => {
  const clock = new HandClock();
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { clock, env: { DIFF_INTERVAL_MS: "0" } });
  });
  afterAll(() => gateway.stop());

  const turn = (ms: number) => clock.turn(gateway, ms);
  /** An exp this far ahead, to the millisecond. */
  const expIn = (ms: number) => (clock.wallNow() + ms) / 1_000;

  async function connectFor(claims: TokenClaims, ttlMs: number): Promise<TestClient> {
    const client = await gateway.socket();
    client.send({ type: "connect", token: await gateway.token(claims, expIn(ttlMs)) });
    await client.next("connected");
    return client;
  }

  /** All that the gateway had to say until now has come, and it was nothing. */
  async function expectNothing(client: TestClient): Promise<void> {
    await client.settled();
    expect(client.inbox).toEqual([]);
  }

  describe("as time passes", () => {
    it.each([
      ["a user's", ALICE],
      ["an app", APP_TOKEN],
    ] as const)(
      "the socket of %s token is warned at half of its life and closed at the end",
      async (_, claims) => {
        const client = await connectFor(claims, 2_000);
        turn(999);
        await expectNothing(client);
        turn(1);
        expect(await client.next("token_expiring")).toEqual({ type: "token_expiring", expiresInMs: 1_000 });
        turn(999);
        await expectNothing(client);
        turn(1);
        const { code, reason } = await client.closed;
        expect(code).toBe(4410);
        expect(reason).toMatch(/expired/);
        // One warning, and nothing after it.
        expect(client.inbox).toEqual([]);
      },
    );

    it("a session whose socket's token expired can be resumed with a new one", async () => {
      const client = await connectFor({ tokenType: "user", sub: "resuming" }, 1_200);
      const sessionId = await client.open({ selectedConversationId: "c1" });
      turn(1_200);
      expect((await client.closed).code).toBe(4410);
      const again = await gateway.connect("resuming");
      const opened = await again.ask({ type: "open", kind: "widget", sessionId });
      expect(opened).toMatchObject({ type: "opened", sessionId, resumed: true });
      again.terminate();
    });

    it("refresh keeps a socket open, and the warnings before its expiry start again", async () => {
      const client = await connectFor(ALICE, 1_600);
      turn(800);
      await client.next("token_expiring");
      const token = await gateway.token(ALICE, expIn(2_400));
      expect(await client.ask({ type: "refresh", token })).toEqual({ type: "ok", id: expect.any(Number) });
      turn(1_199);
      await expectNothing(client);
      turn(1);
      expect(await client.next("token_expiring")).toMatchObject({ expiresInMs: 1_200 });
      // A token that does not expire: no more warnings and no end.
      expect(await client.ask({ type: "refresh", token: await gateway.token(ALICE) })).toMatchObject({
        type: "ok",
      });
      turn(2_000);
      await expectNothing(client);
      client.terminate();
    });

    it("refresh can also bring the end nearer", async () => {
      const client = await gateway.connect(ALICE);
      expect(
        await client.ask({ type: "refresh", token: await gateway.token(ALICE, expIn(1_000)) }),
      ).toMatchObject({ type: "ok" });
      turn(500);
      await client.next("token_expiring");
      turn(500);
      expect((await client.closed).code).toBe(4410);
    });

    it("a token taken within the leeway lasts until the leeway ends", async () => {
      const client = await gateway.socket();
      // Three of the five seconds are over.
      client.send({ type: "connect", token: userToken({ exp: expIn(-3_000) }) });
      await client.next("connected");
      turn(1_999);
      await client.settled();
      turn(1);
      expect((await client.closed).code).toBe(4410);
    });

    it("nothing is delivered after the end", async () => {
      const client = await connectFor({ ...ALICE, read: "all" }, 1_000);
      await client.subscribe({ userIds: ["ticking"] });
      const source = await gateway.connect("ticking");
      await source.open({});
      const tick = (n: number) => source.ask({ type: "update", custom: { n: String(n) } });
      await tick(1);
      turn(999);
      await tick(2);
      turn(1);
      for (let n = 3; n < 10; n++) await tick(n);
      expect((await client.closed).code).toBe(4410);
      const diffs = client.inbox.filter((message) => message.type === "diff");
      expect(diffs.at(-1).data.ticking.widgets[0].custom).toEqual({ n: "2" });
      source.terminate();
    });

    it("the event stream of an app token ends with the token, that of a secret does not", async () => {
      const authorization = `Bearer ${await gateway.token(APP_TOKEN, expIn(2_000))}`;
      const filter = { userIds: ["nobody"] };
      const [ending, staying] = await Promise.all([
        readEvents(gateway, filter, { authorization }),
        readEvents(gateway, filter, { authorization: `Bearer ${SECRET}` }),
      ]);
      expect((await ending.next()).event).toBe("snapshot");
      expect((await staying.next()).event).toBe("snapshot");
      let has: string | undefined;
      const end = expect(
        ending.next().finally(() => {
          has = "ended";
        }),
      ).rejects.toThrow("the stream has ended");
      let stayed = true;
      staying.next().catch(() => {
        stayed = false;
      });
      turn(1_999);
      expect(await gateway.query(filter)).toEqual({});
      expect(has).toBeUndefined();
      turn(1);
      await end;
      expect(stayed).toBe(true);
      staying.close();
    });
  });

  describe("refresh", () => {
    it("before connect is no way in", async () => {
      const client = await gateway.socket();
      client.send({ type: "refresh", id: 1, token: await gateway.token(ALICE) });
      expect(await client.take(() => true)).toMatchObject({ type: "error", id: 1, code: "UNAUTHENTICATED" });
      expect((await client.closed).code).toBe(4401);
    });

    it("without an id is not answered", async () => {
      const client = await gateway.connect(ALICE);
      client.send({ type: "refresh", token: await gateway.token(ALICE) });
      await client.settled();
      await client.settled();
      expect(client.inbox).toEqual([]);
      client.terminate();
    });

    it.each<[string, () => Promise<string> | string]>([
      ["for another user", () => gateway.token({ tokenType: "user", sub: "bob" })],
      ["for a user whose id differs in case", () => gateway.token({ tokenType: "user", sub: "Alice" })],
      ["of the app", () => gateway.token(APP_TOKEN)],
      ["of another app", () => gateway.token(ALICE, undefined, "other-app")],
      ["that has expired", () => userToken({ exp: expIn(-6_000) })],
      ["that is forged", () => forge({ key: "attacker", payload: { iss: "test-app", ...ALICE } })],
      [
        "that is not signed",
        () => forge({ header: { ...HS256, alg: "none" }, payload: { iss: "test-app", ...ALICE } }),
      ],
      ["that is no token", () => "x"],
    ])("with a token %s closes 4401", async (_name, make) => {
      const watcher = await gateway.connect();
      await watcher.subscribe({ userIds: ["alice"] });
      const client = await gateway.connect({ ...ALICE, read: "all" });
      await client.open({});
      client.send({ type: "refresh", id: 5, token: await make() });
      expect(await client.take((message) => message.id === 5)).toMatchObject({
        type: "error",
        code: "UNAUTHENTICATED",
      });
      expect((await client.closed).code).toBe(4401);
      // Its sessions wait to be resumed by a socket with a better token.
      expect(await gateway.query({ userIds: ["alice"] })).toHaveProperty("alice");
      await gateway.http("DELETE", "/v1/test-app/users/alice/sessions");
      await watcher.take((message) => message.causes?.alice === "kicked");
      watcher.terminate();
    });

    it("of an app token's socket with a user token closes 4401", async () => {
      const client = await gateway.connect(APP_TOKEN);
      client.send({ type: "refresh", token: await gateway.token({ ...ALICE, read: "all" }) });
      expect((await client.closed).code).toBe(4401);
    });

    it("that loses rights ends the subscriptions that they allowed, and no others", async () => {
      const source = await gateway.connect();
      const client = await gateway.connect({ ...ALICE, read: { userIds: ["bob"], conversationIds: ["c1"] } });
      const own = await client.subscribe({ userIds: ["alice"] });
      const bob = await client.subscribe({ userIds: ["bob"] });
      const conversation = await client.subscribe({ selectedConversationId: "c1" });

      const token = await gateway.token({ ...ALICE, read: { conversationIds: ["c1"] } });
      expect(await client.ask({ type: "refresh", token })).toMatchObject({ type: "ok" });
      const ended = await client.next("error");
      expect(ended).toMatchObject({ code: "FORBIDDEN", view: bob.view });
      expect(ended).not.toHaveProperty("id");
      expect(client.inbox).toEqual([]);

      for (const userId of ["alice", "bob"]) await source.open({ userId });
      await source.open({ userId: "carol", selectedConversationId: "c1" });
      const views = [await client.next("diff"), await client.next("diff")].map((diff) => diff.view);
      expect(views.sort()).toEqual([own.view, conversation.view].sort());
      await client.settled();
      expect(client.inbox).toEqual([]);
      expect(await client.ask({ type: "unsubscribe", view: bob.view })).toMatchObject({ code: "NOT_FOUND" });
      expect(await client.ask({ type: "query", filter: { userIds: ["bob"] } })).toMatchObject({
        code: "FORBIDDEN",
      });
      expect(await client.ask({ type: "subscribe", filter: { userIds: ["bob"] } })).toMatchObject({
        code: "FORBIDDEN",
      });
      source.socket.close();
      client.terminate();
      await source.closed;
    });

    it("that gains rights may use them at once", async () => {
      const client = await gateway.connect(ALICE);
      expect(await client.ask({ type: "query", filter: {} })).toMatchObject({ code: "FORBIDDEN" });
      await client.ask({ type: "refresh", token: await gateway.token({ ...ALICE, read: "all" }) });
      expect(await client.ask({ type: "query", filter: {} })).toMatchObject({ type: "result" });
      client.terminate();
    });

    it("several at once: the last one counts", async () => {
      const client = await gateway.connect(ALICE);
      const tokens = await Promise.all(
        (["all", undefined, "all", undefined] as const).map((read) =>
          gateway.token({ ...ALICE, ...(read !== undefined && { read }) }),
        ),
      );
      for (const [i, token] of tokens.entries()) client.send({ type: "refresh", id: i, token });
      for (let i = 0; i < tokens.length; i++) await client.take((message) => message.id === i);
      expect(await client.ask({ type: "query", filter: {} })).toMatchObject({ code: "FORBIDDEN" });
      client.terminate();
    });
  });

  it("leaves no deadline behind", async () => {
    await expect
      .poll(() => gateway.node.debugCounts())
      .toMatchObject({
        managedConnections: 0,
        timers: 0,
        expiries: 0,
        connections: 0,
      });
  });
});
