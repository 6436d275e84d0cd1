import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TokenClaims } from "../../src/auth/mint.ts";
import { readEvents } from "../support/events.ts";
import { forge, HS256, inSeconds, userToken } from "../support/forge.ts";
import { SECRET, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const ALICE = { tokenType: "user", sub: "alice" } as const;
const APP_TOKEN = { tokenType: "app" } as const;

/** The gateway looks at the wall clock twice a second; the rest is for a machine that has other things to do. */
const LATE_MS = 1_500;

/** An exp this far ahead, to the millisecond. */
function expIn(ms: number): number {
  return (Date.now() + ms) / 1000;
}

describe.each(TRANSPORTS)("the life of a token over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
  });
  afterAll(() => gateway.stop());

  async function connectFor(claims: TokenClaims, ttlMs: number) {
    const client = await gateway.socket();
    // From before the token is made: its life begins then, however long connecting takes.
    const since = performance.now();
    client.send({ type: "connect", token: await gateway.token(claims, expIn(ttlMs)) });
    await client.next("connected");
    return { client, since };
  }

  // These wait for real time to pass, and so do it together.
  describe.concurrent("as time passes", () => {
    it.for([
      ["a user's", ALICE],
      ["an app", APP_TOKEN],
    ] as const)(
      "the socket of %s token is warned at half of its life and closed at the end",
      async ([, claims]) => {
        const { client, since } = await connectFor(claims, 2_000);
        const { expiresInMs } = await client.next("token_expiring");
        const warnedAfter = performance.now() - since;
        expect(warnedAfter).toBeGreaterThan(800);
        expect(warnedAfter).toBeLessThan(1_000 + LATE_MS);
        expect(expiresInMs).toBeLessThanOrEqual(1_000);
        expect(expiresInMs).toBeGreaterThan(0);
        const { code, reason } = await client.closed;
        expect(code).toBe(4410);
        expect(reason).toMatch(/expired/);
        const closedAfter = performance.now() - since;
        expect(closedAfter).toBeGreaterThan(1_900);
        expect(closedAfter).toBeLessThan(2_000 + LATE_MS);
        // One warning, and nothing after it.
        expect(client.inbox).toEqual([]);
      },
    );

    it("a session whose socket's token expired can be resumed with a new one", async () => {
      const { client } = await connectFor({ tokenType: "user", sub: "resuming" }, 1_200);
      const sessionId = await client.open({ selectedConversationId: "c1" });
      expect((await client.closed).code).toBe(4410);
      const again = await gateway.connect("resuming");
      const opened = await again.ask({ type: "open", kind: "widget", sessionId });
      expect(opened).toMatchObject({ type: "opened", sessionId, resumed: true });
      again.terminate();
    });

    it("refresh keeps a socket, and its warnings start anew", async () => {
      const { client } = await connectFor(ALICE, 1_600);
      await client.next("token_expiring");
      const refreshed = performance.now();
      const token = await gateway.token(ALICE, expIn(2_400));
      expect(await client.ask({ type: "refresh", token })).toEqual({ type: "ok", id: expect.any(Number) });
      const { expiresInMs } = await client.next("token_expiring");
      expect(performance.now() - refreshed).toBeGreaterThan(1_000);
      expect(expiresInMs).toBeLessThanOrEqual(1_200);
      // A token that does not expire: no more warnings and no end.
      expect(await client.ask({ type: "refresh", token: await gateway.token(ALICE) })).toMatchObject({
        type: "ok",
      });
      await new Promise((resolve) => setTimeout(resolve, 2_400 - (performance.now() - refreshed) + 700));
      expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
      expect(client.inbox).toEqual([]);
      client.terminate();
    });

    it("refresh can also bring the end nearer", async () => {
      const client = await gateway.connect(ALICE);
      const before = performance.now();
      client.send({ type: "refresh", token: await gateway.token(ALICE, expIn(1_000)) });
      await client.next("token_expiring");
      expect((await client.closed).code).toBe(4410);
      expect(performance.now() - before).toBeLessThan(1_000 + LATE_MS);
    });

    it("a token taken within the leeway lasts until the leeway ends", async () => {
      const client = await gateway.socket();
      const before = performance.now();
      // Three of the five seconds are over.
      client.send({ type: "connect", token: userToken({ exp: expIn(-3_000) }) });
      await client.next("connected");
      expect((await client.closed).code).toBe(4410);
      const after = performance.now() - before;
      expect(after).toBeGreaterThan(1_000);
      expect(after).toBeLessThan(2_000 + LATE_MS);
    });

    it("nothing is delivered after the end", async () => {
      const { client } = await connectFor({ ...ALICE, read: "all" }, 1_000);
      const endsAt = Date.now() + 1_000;
      await client.subscribe({ userIds: ["ticking"] });
      const source = await gateway.connect("ticking");
      await source.open({});
      const ticking = setInterval(
        () => source.send({ type: "update", custom: { at: String(Date.now()) } }),
        20,
      );
      await client.closed;
      clearInterval(ticking);
      const diffs = client.inbox.filter((message) => message.type === "diff");
      expect(diffs.length).toBeGreaterThan(3);
      const last = Number(diffs.at(-1).data.ticking.widgets[0].custom.at);
      expect(last).toBeLessThan(endsAt + 1_000);
      source.terminate();
    });

    it("the event stream of an app token ends with the token, that of a secret does not", async () => {
      const since = performance.now();
      const exp = expIn(2_000);
      const authorization = `Bearer ${await gateway.token(APP_TOKEN, exp)}`;
      const filter = { userIds: ["nobody"] };
      const [ending, staying] = await Promise.all([
        readEvents(gateway, filter, { authorization }),
        readEvents(gateway, filter, { authorization: `Bearer ${SECRET}` }),
      ]);
      expect((await ending.next()).event).toBe("snapshot");
      expect((await staying.next()).event).toBe("snapshot");
      let stayed = true;
      staying.next().catch(() => {
        stayed = false;
      });
      await expect(ending.next()).rejects.toThrow("the stream has ended");
      const after = performance.now() - since;
      expect(after).toBeGreaterThan(1_900);
      expect(after).toBeLessThan(2_000 + LATE_MS);
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
      ["that has expired", () => userToken({ exp: inSeconds(-6) })],
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
      .poll(() => gateway.hub.leftovers(), { timeout: 3_000 })
      .toMatchObject({
        peers: 0,
        timers: 0,
        expiries: 0,
        connections: 0,
      });
  });
});
