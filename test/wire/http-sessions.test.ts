import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Presence without a socket: sessions that are written over HTTP.

const V1 = `/v1/${APP}`;
const FORMS: [name: string, pathOf: (userId: string, key: string) => string][] = [
  ["in the path", (userId, key) => `${V1}/users/${encodeURIComponent(userId)}/sessions/${key}`],
  ["in the query", (userId, key) => `${V1}/users/sessions?userId=${encodeURIComponent(userId)}&key=${key}`],
];
const pathOf = FORMS[0]![1];

describe.each(TRANSPORTS)("a session written over HTTP, over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

  describe.each(FORMS)("with the user %s", (form, pathOf) => {
    it.each(["alice", "a/b", "__proto__", "sessions", "status", "ü", "%"])("of %j", async (id) => {
      const userId = `${id} ${form}`;
      const path = pathOf(userId, "bot-1");
      const before = Date.now();
      const opened = await gateway.http("PUT", path, { selectedConversationId: "c1", custom: { a: "1" } });
      expect(opened.status).toBe(200);
      const { sessionId, expiresAt } = opened.json.data;
      expect(opened.json.data).toEqual({
        sessionId: expect.any(String),
        expiresAt: expect.any(Number),
        created: true,
      });
      expect(expiresAt).toBeGreaterThanOrEqual(before + 60_000);
      expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
      const patched = await gateway.http("PUT", path, {
        isTyping: true,
        custom: { b: "2" },
        ttlMs: 1_000_000,
      });
      expect(patched.json.data).toMatchObject({ sessionId, created: false });
      expect(patched.json.data.expiresAt).toBeGreaterThan(expiresAt);
      const session = {
        selectedConversationId: "c1",
        custom: { a: "1", b: "2" },
        hasFocus: false,
        isTyping: true,
        sessionId,
      };
      const shown = await gateway.query({ userIds: [userId] });
      expect(shown[userId]).toEqual({ status: "online", backgroundSessions: [], widgets: [session] });
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 1 });
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 0 });
      expect(await gateway.query({ userIds: [userId] })).toEqual({});
    });
  });

  it("is ended by the DELETE of its key alone, which is seen as closed", async () => {
    const watcher = await gateway.connect();
    await watcher.subscribe({ userIds: ["dora"] });
    await gateway.http("PUT", pathOf("dora", "one"));
    await watcher.next("diff");
    await gateway.http("PUT", pathOf("dora", "two"));
    await watcher.next("diff");
    expect((await gateway.http("DELETE", pathOf("dora", "one"))).json).toEqual({ ended: 1 });
    expect((await watcher.next("diff")).data.dora.widgets).toHaveLength(1);
    expect((await gateway.http("DELETE", FORMS[1]![1]("dora", "two"))).json).toEqual({ ended: 1 });
    expect(await watcher.next("diff")).toMatchObject({ causes: { dora: "closed" } });
  });

  it("is a widget at first, and its kind cannot change", async () => {
    const path = pathOf("kim", "k");
    await gateway.http("PUT", path);
    const { status, json } = await gateway.http("PUT", path, { kind: "background", hasFocus: true });
    expect([status, Object.keys(json.reasons)]).toEqual([400, ["kind"]]);
    expect((await gateway.http("PUT", path, { kind: "widget" })).json.data.created).toBe(false);
    await gateway.http("PUT", pathOf("kim", "b"), { kind: "background", isIdle: true });
    expect((await gateway.http("PUT", pathOf("kim", "b"))).status).toBe(200);
    const { kim } = await gateway.query({ userIds: ["kim"], includeBackgroundSessions: true });
    expect(kim).toMatchObject({ backgroundSessions: [{}], widgets: [{ hasFocus: false }] });
  });

  it("cannot be resumed, updated or closed by a socket, and is ended by a kick like any other", async () => {
    const { sessionId } = (await gateway.http("PUT", pathOf("lena", "k"))).json.data;
    const lena = await gateway.connect("lena");
    const opened = await lena.ask({ type: "open", kind: "widget", sessionId });
    expect(opened).toMatchObject({ type: "opened", resumed: false });
    expect(opened.sessionId).not.toBe(sessionId);
    for (const type of ["update", "close"])
      expect(await lena.ask({ type, sessionId })).toMatchObject({ type: "error", code: "NOT_FOUND" });
    expect((await gateway.http("DELETE", `${V1}/users/lena/sessions`)).json).toEqual({ ended: 2 });
    expect((await gateway.http("PUT", pathOf("lena", "k"))).json.data).toMatchObject({
      sessionId,
      created: true,
    });
  });

  const BAD: [body: unknown, field: string][] = [
    [{ ttlMs: 999 }, "ttlMs"],
    [{ ttlMs: 3_600_001 }, "ttlMs"],
    [{ ttlMs: 1_000.5 }, "ttlMs"],
    [{ ttlMs: "1000" }, "ttlMs"],
    [{ ttl: 1_000 }, "ttl"],
    [{ typing: true }, "typing"],
    [{ kind: "page" }, "kind"],
    [{ visible: 1 }, "visible"],
    [{ hasFocus: null }, "hasFocus"],
    [{ selectedConversationId: "" }, "selectedConversationId"],
    [{ custom: { a: 1 } }, "custom"],
    [{ custom: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [i, "x".repeat(500)])) }, "custom"],
    [{ sessionId: "x" }, "sessionId"],
    [{ userId: "x" }, "userId"],
    [null, "body"],
    [[], "body"],
    ["{", "body"],
  ];
  it.each(BAD)("a body %j is 400 by its field, and changes nothing", async (body, field) => {
    const path = pathOf("mia", "k");
    await gateway.http("PUT", path, { hasFocus: true, custom: { keep: "1" } });
    const before = await gateway.query({ userIds: ["mia"] });
    const { status, json } = await gateway.http("PUT", path, body);
    expect([status, json.errorCode, Object.keys(json.reasons)]).toEqual([400, "BAD_REQUEST", [field]]);
    expect(await gateway.query({ userIds: ["mia"] })).toEqual(before);
  });

  it("names the field that was probably meant", async () => {
    const { json } = await gateway.http("PUT", pathOf("mia", "k"), { typing: true, ttl: 1 });
    expect(json.reasons).toEqual({
      typing: ["is not known here: did you mean isTyping?"],
      ttl: ["is not known here: did you mean ttlMs?"],
    });
  });

  it.each(["a.b", "x".repeat(65), "%C3%BC", "a%2Fb", "a%20b", "", "%0A", "k%0A"])(
    "the key %j is 400",
    async (key) => {
      for (const [, of] of FORMS) {
        for (const method of ["PUT", "DELETE"]) {
          const { status, json } = await gateway.http(method, of("nina", key));
          expect([status, Object.keys(json.reasons)]).toEqual([400, ["key"]]);
        }
      }
      expect(await gateway.query({ userIds: ["nina"] })).toEqual({});
    },
  );

  it("a PUT in the query form names its key, and only known parameters", async () => {
    const without = await gateway.http("PUT", `${V1}/users/sessions?userId=nina`);
    expect([without.status, Object.keys(without.json.reasons)]).toEqual([400, ["key"]]);
    const misspelt = await gateway.http("DELETE", `${V1}/users/sessions?userId=nina&keys=k`);
    expect([misspelt.status, Object.keys(misspelt.json.reasons)]).toEqual([400, ["keys"]]);
  });

  it("a user has 32 of them: the next one is LIMIT_REACHED, and others are still written", async () => {
    for (let i = 0; i < 32; i++) await gateway.http("PUT", pathOf("olga", `k${i}`));
    const { status, headers, json } = await gateway.http("PUT", pathOf("olga", "k32"));
    expect([status, json.errorCode, headers.get("retry-after")]).toEqual([429, "LIMIT_REACHED", "1"]);
    expect(Object.values(json.reasons)).toEqual([[expect.stringContaining("32")]]);
    expect((await gateway.http("PUT", pathOf("olga", "k31"), { hasFocus: true })).status).toBe(200);
    await gateway.http("DELETE", pathOf("olga", "k0"));
    expect((await gateway.http("PUT", pathOf("olga", "k32"))).json.data.created).toBe(true);
  });

  it("custom of all of them is limited, and a refused write leaves everything as it was", async () => {
    const custom = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(500)]));
    const statuses = [];
    for (let i = 0; i < 17; i++)
      statuses.push((await gateway.http("PUT", pathOf("pia", `k${i}`), { custom })).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await gateway.query({ userIds: ["pia"] })).pia.widgets).toHaveLength(
      statuses.filter((status) => status === 200).length,
    );
  });

  it("needs the rights of a back end", async () => {
    const token = await gateway.token({ tokenType: "user", sub: "alice" });
    for (const method of ["PUT", "DELETE"]) {
      for (const authorization of ["", "Bearer x", `Bearer ${token}`])
        expect((await gateway.http(method, pathOf("alice", "k"), undefined, { authorization })).status).toBe(
          401,
        );
      expect((await gateway.http(method, "/v1/nowhere/users/alice/sessions/k")).status).toBe(404);
    }
    const { status, headers } = await gateway.http("GET", pathOf("alice", "k"));
    expect([status, headers.get("allow")]).toEqual([405, "DELETE, PUT"]);
  });
});

describe.each(TRANSPORTS)("the life of a session written over HTTP, over %s", (transport) => {
  it("ends with cause timeout unless it is written again; typing ends before", async (context) => {
    const clock = new HandClock();
    const gateway = await TestGateway.start(transport, { clock, env: { TYPING_TIMEOUT_MS: "10000" } });
    context.onTestFinished(() => gateway.stop());
    const pass = (ms: number) => clock.turn(gateway, ms);
    const watcher = await gateway.connect();
    await watcher.subscribe({});
    const path = pathOf("bot", "k");
    await gateway.http("PUT", path, { isTyping: true, ttlMs: 30_000 });
    expect((await watcher.next("diff")).data.bot.widgets[0].isTyping).toBe(true);
    pass(9_999);
    // Typing goes on where it is sent again, and a refused call does not restart the life.
    await gateway.http("PUT", path, { isTyping: true, ttlMs: 15_000 });
    expect((await gateway.http("PUT", path, { ttlMs: 1 })).status).toBe(400);
    pass(10_000);
    expect((await watcher.next("diff")).data.bot.widgets[0].isTyping).toBe(false);
    pass(4_999);
    expect(Object.keys(await gateway.query())).toEqual(["bot"]);
    pass(1);
    expect(await watcher.next("diff")).toMatchObject({ data: { bot: null }, causes: { bot: "timeout" } });
  });
});
