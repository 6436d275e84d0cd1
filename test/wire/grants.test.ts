import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const GENEROUS = "generous-app";
const GENEROUS_SECRET = "a secret of the app whose users may all see each other";
const TWIN = "twin-app";
const TWIN_SECRET = "a secret of an app with the same users and conversations";

const NO_READ = undefined;
const EVERYONE = { userIds: ["alice", "bob", "carol"] };

/** The `read` of alice's token, a filter, and the users that she sees; undefined: the filter is FORBIDDEN. */
type Case = [read: (TokenClaims & { tokenType: "user" })["read"], filter: object, seen: string[] | undefined];

const CASES: Case[] = [
  // Without a grant there is oneself.
  [NO_READ, { userIds: ["alice"] }, ["alice"]],
  [NO_READ, { userIds: ["alice", "alice"] }, ["alice"]],
  [NO_READ, { userIds: ["alice"], hasFocus: true }, []],
  [NO_READ, { userIds: ["alice"], selectedConversationId: "c1" }, ["alice"]],
  [NO_READ, { userIds: [] }, []],
  [NO_READ, {}, undefined],
  [NO_READ, { userIds: null }, undefined],
  [NO_READ, { userIds: ["bob"] }, undefined],
  [NO_READ, { userIds: ["alice", "bob"] }, undefined],
  [NO_READ, { userIds: ["Alice"] }, undefined],
  [NO_READ, { userIds: ["__proto__"] }, undefined],
  [NO_READ, { userIds: ["constructor"] }, undefined],
  [NO_READ, { hasFocus: true }, undefined],
  [NO_READ, { isTyping: false }, undefined],
  [NO_READ, { includeBackgroundSessions: true }, undefined],
  [NO_READ, { selectedConversationId: "c1" }, undefined],
  [NO_READ, { selectedConversationId: null }, undefined],
  [NO_READ, { selectedConversationId: "constructor" }, undefined],
  [{}, { userIds: ["alice"] }, ["alice"]],
  [{}, {}, undefined],
  [{ userIds: [], conversationIds: [] }, {}, undefined],
  // Everything.
  ["all", {}, ["alice", "bob", "carol"]],
  ["all", { selectedConversationId: null }, ["carol"]],
  ["all", { userIds: ["bob"] }, ["bob"]],
  // Some users: the filter has to name no others.
  [{ userIds: ["bob"] }, { userIds: ["bob"] }, ["bob"]],
  [{ userIds: ["bob"] }, { userIds: ["alice", "bob"] }, ["alice", "bob"]],
  [{ userIds: ["bob"] }, { userIds: ["bob"], selectedConversationId: "c1" }, ["bob"]],
  [{ userIds: ["bob"] }, { userIds: ["bob"], selectedConversationId: null }, []],
  [{ userIds: ["bob"] }, { userIds: [] }, []],
  [{ userIds: ["bob"] }, { userIds: ["bob", "carol"] }, undefined],
  [{ userIds: ["bob"] }, { userIds: ["BOB"] }, undefined],
  [{ userIds: ["bob"] }, {}, undefined],
  [{ userIds: ["bob"] }, { selectedConversationId: "c1" }, undefined],
  [{ userIds: ["c1"] }, { selectedConversationId: "c1" }, undefined],
  [{ userIds: ["__proto__"] }, { userIds: ["__proto__"] }, []],
  [{ userIds: ["__proto__"] }, { userIds: ["bob"] }, undefined],
  // Some conversations: the filter has to select one of them, and may then name anybody.
  [{ conversationIds: ["c1"] }, { selectedConversationId: "c1" }, ["alice", "bob"]],
  [{ conversationIds: ["c1"] }, { selectedConversationId: "c1", userIds: ["bob", "carol"] }, ["bob"]],
  [
    { conversationIds: ["c1"] },
    { selectedConversationId: "c1", includeBackgroundSessions: true },
    ["alice", "bob"],
  ],
  [{ conversationIds: ["c0", "c1"] }, { selectedConversationId: "c0" }, []],
  [{ conversationIds: ["c1"] }, { userIds: ["alice"] }, ["alice"]],
  [{ conversationIds: ["c1"] }, { selectedConversationId: "c2" }, undefined],
  [{ conversationIds: ["c1"] }, { selectedConversationId: null }, undefined],
  [{ conversationIds: ["null"] }, { selectedConversationId: null }, undefined],
  [{ conversationIds: ["c1"] }, {}, undefined],
  [{ conversationIds: ["c1"] }, { userIds: ["bob"] }, undefined],
  [{ conversationIds: ["bob"] }, { userIds: ["bob"] }, undefined],
  // Both: each is enough.
  [{ userIds: ["carol"], conversationIds: ["c1"] }, { userIds: ["carol"] }, ["carol"]],
  [{ userIds: ["carol"], conversationIds: ["c1"] }, { selectedConversationId: "c1" }, ["alice", "bob"]],
  [{ userIds: ["carol"], conversationIds: ["c1"] }, { userIds: ["carol", "bob"] }, undefined],
];

const ROWS = CASES.map(
  ([read, filter, seen]) =>
    [`${JSON.stringify(read) ?? "no read"} and ${JSON.stringify(filter)}`, read, filter, seen] as const,
);

describe.each(TRANSPORTS)("grants over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      env: { DIFF_INTERVAL_MS: "0" },
      apps: [
        { id: GENEROUS, secrets: [GENEROUS_SECRET], userGrant: "all" },
        { id: TWIN, secrets: [TWIN_SECRET] },
      ],
    });
  });
  afterAll(() => gateway.stop());

  /** A socket of an app other than the usual one. */
  async function connectTo(appId: string, secret: string, claims: TokenClaims): Promise<TestClient> {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", token: await gateway.token(claims, undefined, appId, secret) });
    await client.next("connected");
    return client;
  }

  /** Closes these sockets, and their sessions with them. */
  async function leave(...clients: TestClient[]): Promise<void> {
    for (const client of clients) client.socket.close();
    await Promise.all(clients.map((client) => client.closed));
  }

  describe("what a user may watch", () => {
    let crowd: TestClient;

    beforeAll(async () => {
      crowd = await gateway.connect();
      await crowd.open({ userId: "alice", selectedConversationId: "c1" });
      await crowd.open({ userId: "bob", selectedConversationId: "c1" });
      await crowd.open({ userId: "carol" });
    });
    afterAll(async () => {
      crowd.socket.close();
      await crowd.closed;
    });

    it.each(ROWS)("with %s", async (_name, read, filter, seen) => {
      const claims = { tokenType: "user", sub: "alice", ...(read !== undefined && { read }) } as const;
      const client = await gateway.connect(claims);
      const result = await client.ask({ type: "query", filter });
      const snapshot = await client.ask({ type: "subscribe", filter });
      if (seen === undefined) {
        expect(result).toMatchObject({ type: "error", code: "FORBIDDEN" });
        expect(snapshot).toMatchObject({ type: "error", code: "FORBIDDEN" });
        // There is only the error: no result, and no subscription that would deliver one later.
        expect(JSON.stringify([result, snapshot])).not.toMatch(/"data"|"view"|bob|carol/);
        expect(gateway.presence().subscriptions).toBe(0);
      } else {
        expect(result.type).toBe("result");
        expect(Object.keys(result.data).sort()).toEqual(seen);
        expect(snapshot.type).toBe("snapshot");
        expect(snapshot.data).toEqual(result.data);
        expect(gateway.presence().subscriptions).toBe(1);
      }
      await leave(client);
    });

    it("may be refused any number of times", async () => {
      const client = await gateway.connect({ tokenType: "user", sub: "alice" });
      for (let i = 0; i < 30; i++) {
        expect(await client.ask({ type: "query", filter: {} })).toMatchObject({ code: "FORBIDDEN" });
      }
      expect(await client.ask({ type: "query", filter: { userIds: ["alice"] } })).toMatchObject({
        type: "result",
      });
      client.terminate();
    });

    it("does not grow by the name of another client's view", async () => {
      const watcher = await gateway.connect();
      const { view, version } = await watcher.subscribe(EVERYONE);
      const bob = await gateway.connect({ tokenType: "user", sub: "bob" });
      const since = { view, version };
      expect(await bob.ask({ type: "subscribe", filter: EVERYONE, since })).toMatchObject({
        code: "FORBIDDEN",
      });
      const own = await bob.ask({ type: "subscribe", filter: { userIds: ["bob"] }, since });
      expect(own.type).toBe("snapshot");
      expect(own.view).not.toBe(view);
      expect(Object.keys(own.data)).toEqual(["bob"]);
      // Nor can one user end what another has.
      expect(await bob.ask({ type: "unsubscribe", view })).toMatchObject({ code: "NOT_FOUND" });
      const sessionId = await crowd.open({ userId: "carol" });
      await watcher.next("diff");
      await bob.settled();
      expect(bob.inbox).toEqual([]);
      await crowd.ask({ type: "close", sessionId });
      await leave(watcher, bob);
    });
  });

  it("an app may grant everything to every user", async () => {
    const app = await connectTo(GENEROUS, GENEROUS_SECRET, { tokenType: "app" });
    await app.open({ userId: "bob" });
    for (const read of [{}, { read: { userIds: [] } }, { read: "all" as const }]) {
      const claims = { tokenType: "user", sub: "alice", ...read } as const;
      const alice = await connectTo(GENEROUS, GENEROUS_SECRET, claims);
      const { data } = await alice.ask({ type: "query", filter: {} });
      expect(Object.keys(data)).toEqual(["bob"]);
      expect(await alice.ask({ type: "open", kind: "widget", userId: "bob" })).toMatchObject({
        code: "FORBIDDEN",
      });
      alice.terminate();
    }
    app.terminate();
  });

  it("an app token may watch everything", async () => {
    const app = await gateway.connect();
    for (const filter of [{}, EVERYONE, { selectedConversationId: "c1" }, { selectedConversationId: null }]) {
      expect((await app.ask({ type: "query", filter })).type).toBe("result");
      expect((await app.ask({ type: "subscribe", filter })).type).toBe("snapshot");
    }
    await leave(app);
  });

  describe("whose sessions", () => {
    it("a user opens: their own, named or not", async () => {
      const alice = await gateway.connect("alice");
      await alice.open({});
      await alice.open({ userId: "alice" });
      expect(Object.keys(await gateway.query())).toEqual(["alice"]);
      await leave(alice);
    });

    it.each(["bob", "Alice", "__proto__", "alice "])("a user does not open: those of %j", async (userId) => {
      const alice = await gateway.connect("alice");
      const answer = await alice.ask({ type: "open", kind: "widget", userId });
      expect(answer).toMatchObject({ type: "error", code: "FORBIDDEN" });
      expect(await gateway.query()).toEqual({});
      // The socket lives, and has no session that a message without sessionId would mean.
      expect(await alice.ask({ type: "update", isTyping: true })).toMatchObject({ code: "NOT_FOUND" });
      alice.terminate();
    });

    it("an app token opens: any user's, but it has to name the user", async () => {
      const app = await gateway.connect();
      const answer = await app.ask({ type: "open", kind: "widget" });
      expect(answer).toMatchObject({ type: "error", code: "BAD_MESSAGE" });
      expect(answer.issues).toEqual([{ path: "userId", message: expect.any(String) }]);
      expect(await gateway.query()).toEqual({});
      await app.open({ userId: "alice" });
      await app.open({ userId: "bob" });
      expect(Object.keys(await gateway.query())).toEqual(["alice", "bob"]);
      await leave(app);
    });

    it("a user resumes: not another user's, neither a live one nor a lost one", async () => {
      const alice = await gateway.connect("alice");
      const sessionId = await alice.open({ selectedConversationId: "c1" });
      const mallory = await gateway.connect("mallory");
      const live = await mallory.ask({ type: "open", kind: "widget", sessionId });
      expect(live).toMatchObject({ type: "opened", resumed: false });
      expect(live.sessionId).not.toBe(sessionId);
      await alice.settled();
      expect(alice.inbox).toEqual([]);
      alice.terminate();
      await expect.poll(() => gateway.presence().sockets).toBe(1);
      const lost = await mallory.ask({ type: "open", kind: "widget", sessionId });
      expect(lost).toMatchObject({ type: "opened", resumed: false });
      // Hers is still there to be resumed by her.
      const again = await gateway.connect("alice");
      expect(await again.ask({ type: "open", kind: "widget", sessionId })).toEqual({
        type: "opened",
        id: expect.any(Number),
        sessionId,
        resumed: true,
      });
      expect((await gateway.query()).alice.widgets).toHaveLength(1);
      await leave(again, mallory);
    });

    it("a user changes or closes: not another's, and not those of their own other sockets", async () => {
      const alice = await gateway.connect("alice");
      const sessionId = await alice.open({});
      for (const other of [await gateway.connect("mallory"), await gateway.connect("alice")]) {
        await other.open({});
        const update = { type: "update", sessionId, custom: { by: "another" } };
        expect(await other.ask(update)).toMatchObject({ type: "error", code: "NOT_FOUND" });
        expect(await other.ask({ type: "close", sessionId })).toMatchObject({
          type: "error",
          code: "NOT_FOUND",
        });
        await leave(other);
      }
      const [session] = (await gateway.query()).alice.widgets;
      expect(session).toMatchObject({ sessionId, custom: {} });
      await leave(alice);
    });
  });

  describe("of one app another sees nothing:", () => {
    let here: TestClient;
    let there: TestClient;
    let sessionId: string;

    beforeAll(async () => {
      here = await gateway.connect();
      there = await connectTo(TWIN, TWIN_SECRET, { tokenType: "app" });
      sessionId = await here.open({
        userId: "alice",
        selectedConversationId: "c1",
        isTyping: true,
        hasFocus: true,
      });
    });

    function askTwin(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const authorization = `Bearer ${TWIN_SECRET}`;
      return gateway.http(method, `/v1/${TWIN}${path}`, body, { authorization, ...headers });
    }

    it("queries", async () => {
      for (const filter of [
        {},
        { userIds: ["alice"] },
        { selectedConversationId: "c1" },
        { includeBackgroundSessions: true, isTyping: true },
      ]) {
        expect(Object.keys(await gateway.query(filter))).toEqual(["alice"]);
        expect((await askTwin("POST", "/presences", filter)).json).toEqual({ data: {} });
        expect((await there.ask({ type: "query", filter })).data).toEqual({});
      }
    });

    it("subscriptions", async () => {
      const ours = await here.subscribe({ selectedConversationId: "c1" });
      const theirs = await there.subscribe({ selectedConversationId: "c1" });
      expect(theirs.data).toEqual({});
      expect(theirs.view).not.toBe(ours.view);
      await here.ask({ type: "update", custom: { n: "1" } });
      await here.next("diff");
      await there.settled();
      expect(there.inbox).toEqual([]);
      // And the other way round: the same user, there, is none of ours.
      const twin = await there.open({ userId: "alice", selectedConversationId: "c1" });
      expect(Object.keys((await there.next("diff")).data)).toEqual(["alice"]);
      await here.settled();
      expect(here.inbox).toEqual([]);
      await there.ask({ type: "close", sessionId: twin });
      await there.next("diff");
      await there.ask({ type: "unsubscribe", view: theirs.view });
      await here.ask({ type: "unsubscribe", view: ours.view });
    });

    it("positions in a view", async () => {
      const { view, version } = await here.subscribe({});
      const since = { view, version };
      const answer = await there.ask({ type: "subscribe", filter: {}, since });
      expect(answer).toMatchObject({ type: "snapshot", data: {} });
      expect(answer.view).not.toBe(view);
      expect(await there.ask({ type: "unsubscribe", view })).toMatchObject({ code: "NOT_FOUND" });
      await there.ask({ type: "unsubscribe", view: answer.view });

      const abort = new AbortController();
      const stream = await fetch(`${gateway.url}/v1/${TWIN}/presences/stream`, {
        headers: { authorization: `Bearer ${TWIN_SECRET}`, "last-event-id": `${view}:${version}` },
        signal: abort.signal,
      });
      const { value } = await stream.body!.pipeThrough(new TextDecoderStream()).getReader().read();
      expect(value).toMatch(/^event: snapshot\n/);
      expect(value).not.toContain("alice");
      expect(value).not.toContain(view);
      abort.abort();
      await here.ask({ type: "unsubscribe", view });
    });

    it("streams", async () => {
      const events = await readEvents(gateway, {});
      expect(JSON.parse((await events.next()).data).data).toHaveProperty("alice");
      await there.open({ userId: "bob" });
      const ours = await here.open({ userId: "carol" });
      // The next thing that this stream hears of is not bob.
      expect(Object.keys(JSON.parse((await events.next()).data).data)).toEqual(["carol"]);
      events.close();
      await here.ask({ type: "close", sessionId: ours });
      await there.ask({ type: "close" });
    });

    it("the sessions of a user, counts, and kicks", async () => {
      expect((await askTwin("GET", "/users/alice/sessions")).json).toEqual([]);
      await expect
        .poll(async () => (await askTwin("GET", "/stats")).json)
        .toEqual({
          users: 0,
          sessions: 0,
          widgets: 0,
          backgroundSessions: 0,
          focused: 0,
          typing: 0,
          sockets: 1,
          subscriptions: 0,
          views: 0,
        });
      expect((await askTwin("DELETE", "/users/alice/sessions")).json).toEqual({ ended: 0 });
      await here.settled();
      expect(here.inbox).toEqual([]);
      expect((await gateway.http("GET", `/v1/${APP}/users/alice/sessions`)).json).toHaveLength(1);
    });

    it("session ids", async () => {
      const opened = await there.ask({ type: "open", kind: "widget", userId: "alice", sessionId });
      expect(opened).toMatchObject({ type: "opened", resumed: false });
      expect(opened.sessionId).not.toBe(sessionId);
      expect(await there.ask({ type: "update", sessionId, hasFocus: false })).toMatchObject({
        code: "NOT_FOUND",
      });
      expect(await there.ask({ type: "close", sessionId })).toMatchObject({ code: "NOT_FOUND" });
      await here.settled();
      expect(here.inbox).toEqual([]);
      expect((await gateway.query()).alice.widgets[0]).toMatchObject({ sessionId, hasFocus: true });
      await there.ask({ type: "close" });
    });

    it("credentials", async () => {
      const path = `/v1/${TWIN}/presences`;
      expect((await gateway.http("POST", path, {})).status).toBe(401);
      expect((await askTwin("POST", `/../${APP}/presences`, {})).status).toBe(401);
      const token = await gateway.token({ tokenType: "app" });
      expect((await gateway.http("POST", path, {}, { authorization: `Bearer ${token}` })).status).toBe(401);
    });
  });
});
