import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Check, last seen and erase: what back ends ask about many users, and the end of all knowledge about one.

const V1 = `/v1/${APP}`;
const OTHER = { id: "other-app", secrets: [SECRET] };

describe.each(TRANSPORTS)("a check over %s", (transport) => {
  let gateway: TestGateway;
  const check = (body: unknown, headers?: Record<string, string>) =>
    gateway.http("POST", `${V1}/presences/check`, body, headers);
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { app: { indexedCustom: ["team"] } });
    const sessions: [userId: string, body: object][] = [
      ["focused", { hasFocus: true, selectedConversationId: "c1", custom: { mood: "fine" } }],
      ["unfocused", { selectedConversationId: "c1" }],
      ["busy", {}],
      ["hidden", { visible: false }],
      ["background", { kind: "background" }],
      ["invisible", { hasFocus: true }],
      ["__proto__", {}],
    ];
    for (const [userId, body] of sessions)
      await gateway.http("PUT", `${V1}/users/${userId}/sessions/k`, body);
    await gateway.http("PUT", `${V1}/users/busy/status`, { availability: "dnd" });
    await gateway.http("PUT", `${V1}/users/invisible/status`, { availability: "invisible" });
  });
  afterAll(() => gateway.stop());

  it("answers in the order asked, each id once", async () => {
    const userIds = [
      "nobody",
      "unfocused",
      "busy",
      "__proto__",
      "unfocused",
      "background",
      "nobody",
      "invisible",
    ];
    const { status, json } = await check({ userIds });
    expect(status).toBe(200);
    expect(json).toEqual({
      data: {
        present: ["unfocused", "busy", "__proto__"],
        absent: ["nobody", "background", "invisible"],
        statuses: { background: "online" },
      },
    });
  });

  it("says the status of those whom the filter leaves out", async () => {
    const userIds = ["focused", "unfocused", "busy", "hidden", "__proto__", "invisible", "nobody"];
    const { data } = (await check({ userIds, filter: { hasFocus: true } })).json;
    expect(data.present).toEqual(["focused"]);
    expect(data.absent).toEqual(["unfocused", "busy", "hidden", "__proto__", "invisible", "nobody"]);
    const statuses = { unfocused: "online", busy: "dnd", hidden: "online", ["__proto__"]: "online" };
    expect(data.statuses).toEqual(statuses);
    expect(Object.hasOwn(data.statuses, "__proto__")).toBe(true);
  });

  it("may ask for any key of custom, and for invisible users", async () => {
    const userIds = ["focused", "unfocused", "invisible"];
    const present = async (filter: object) => (await check({ userIds, filter })).json.data.present;
    expect(await present({ custom: { mood: ["sad", "fine"] } })).toEqual(["focused"]);
    expect(await present({ includeInvisible: true })).toEqual(userIds);
    expect(await present({ selectedConversationId: "c1", includeBackgroundSessions: true })).toEqual([
      "focused",
      "unfocused",
    ]);
    expect(await present({ expandUser: true, hasFocus: null })).toEqual(["focused", "unfocused"]);
  });

  const BAD: [body: unknown, field: string][] = [
    [{}, "userIds"],
    [{ userIds: [] }, "userIds"],
    [{ userIds: "alice" }, "userIds"],
    [{ userIds: ["alice", ""] }, "userIds"],
    [{ userIds: Array.from({ length: 10_001 }, (_, i) => `u${i}`) }, "userIds"],
    [{ userids: ["alice"], userIds: ["alice"] }, "userids"],
    [{ userIds: ["alice"], filter: { userIds: ["bob"] } }, "filter.userIds"],
    [{ userIds: ["alice"], filter: { status: ["online"] } }, "filter.status"],
    [{ userIds: ["alice"], filter: { fields: [] } }, "filter.fields"],
    [{ userIds: ["alice"], filter: { focus: true } }, "filter.focus"],
    [{ userIds: ["alice"], filter: { hasFocus: 1 } }, "filter.hasFocus"],
    [{ userIds: ["alice"], filter: { "a.b": 1 } }, "filter.a.b"],
    [{ userIds: ["alice"], filter: [] }, "filter"],
    [["alice"], "body"],
    ["{", "body"],
  ];
  it.each(BAD)("of %j is 400 by its field", async (body, field) => {
    const { status, json } = await check(body);
    expect([status, json.errorCode, Object.keys(json.reasons)]).toEqual([400, "BAD_REQUEST", [field]]);
  });

  it("names the field that was probably meant, inside the filter too", async () => {
    const { json } = await check({ userIds: ["alice"], filter: { focus: true } });
    expect(json.reasons).toEqual({ "filter.focus": ["is not known here: did you mean hasFocus?"] });
  });

  it("takes a body of 4 MiB and 10,000 ids, and no more", async () => {
    // 10,000 ids as long as they may be.
    const userIds = Array.from({ length: 10_000 }, (_, i) => `${"x".repeat(250)}${i}`.padEnd(255, "y"));
    const { status, json } = await check({ userIds });
    expect(status).toBe(200);
    expect(json.data.absent).toEqual(userIds);
    const padded = JSON.stringify({ userIds: ["busy"] }).padEnd(4 * 1024 * 1024, " ");
    expect((await check(padded)).json.data.present).toEqual(["busy"]);
    expect((await check(`${padded} `)).status).toBe(413);
    const elsewhere = await gateway.http("POST", `${V1}/presences`, " ".repeat(512 * 1024 + 1));
    expect(elsewhere.status).toBe(413);
  });

  it("needs the rights of a back end", async () => {
    expect((await check({ userIds: ["alice"] }, { authorization: "Bearer x" })).status).toBe(401);
    expect((await check("x", { "content-type": "text/plain" })).status).toBe(415);
    expect((await gateway.http("GET", `${V1}/presences/check`)).status).toBe(405);
  });
});

describe.each(TRANSPORTS)("last seen over %s", (transport) => {
  async function setUp({ onTestFinished }: { onTestFinished: (end: () => Promise<void>) => void }) {
    const clock = new HandClock();
    const env = { RESUME_WINDOW_MS: "15000" };
    const gateway = await TestGateway.start(transport, {
      app: { lastSeen: true },
      apps: [OTHER],
      clock,
      env,
    });
    onTestFinished(() => gateway.stop());
    const lastSeen = async (userIds: readonly string[]) =>
      (await gateway.http("POST", `${V1}/last-seen`, { userIds })).json.data;
    const pass = (ms: number) => clock.turn(gateway, ms);
    return { clock, gateway, lastSeen, pass };
  }

  it("is the status of who is online, and the time at which the last session ended", async (context) => {
    const { clock, gateway, lastSeen, pass } = await setUp(context);
    const alice = await gateway.connect("alice");
    await alice.open({});
    await gateway.http("PUT", `${V1}/users/__proto__/sessions/k`);
    await gateway.http("PUT", `${V1}/users/__proto__/status`, { availability: "away" });
    const all = ["alice", "__proto__", "nobody"];
    expect(await lastSeen(all)).toEqual({ alice: { status: "online" }, ["__proto__"]: { status: "away" } });
    expect(await lastSeen([])).toEqual({});
    await alice.ask({ type: "close" });
    const closedAt = clock.wallNow();
    pass(1_000);
    expect(await lastSeen(all)).toMatchObject({ alice: { lastSeenAt: closedAt } });
  });

  it("is the end of the resume window for a session that was lost", async (context) => {
    const { clock, gateway, lastSeen, pass } = await setUp(context);
    const alice = await gateway.connect("alice");
    await alice.open({});
    alice.terminate();
    while (gateway.presence().sockets > 0) await new Promise(setImmediate);
    pass(14_000);
    expect(await lastSeen(["alice"])).toEqual({ alice: { status: "online" } });
    pass(1_000);
    expect(await lastSeen(["alice"])).toEqual({ alice: { lastSeenAt: clock.wallNow() } });
  });

  it("is when an invisible user became invisible, and nothing later changes it", async (context) => {
    const { clock, gateway, lastSeen, pass } = await setUp(context);
    const path = `${V1}/users/alice`;
    await gateway.http("PUT", `${path}/sessions/k`, { ttlMs: 3_600_000 });
    await gateway.http("PUT", `${path}/status`, { availability: "invisible" });
    const hiddenAt = { alice: { lastSeenAt: clock.wallNow() } };
    pass(1_000);
    expect(await lastSeen(["alice"])).toEqual(hiddenAt);
    await gateway.http("PUT", `${path}/sessions/k`, { hasFocus: true });
    await gateway.http("PUT", `${path}/sessions/other`, {});
    await gateway.http("DELETE", `${path}/sessions`);
    pass(1_000);
    expect(await lastSeen(["alice"])).toEqual(hiddenAt);
  });

  it("is told over a socket about own and granted users", async (context) => {
    const { gateway } = await setUp(context);
    for (const userId of ["alice", "bob", "carol"])
      await gateway.http("PUT", `${V1}/users/${userId}/sessions/k`);
    const ask = async (claims: Parameters<typeof gateway.connect>[0], userIds: unknown) =>
      await (await gateway.connect(claims)).ask({ type: "last_seen", userIds });
    const some = { tokenType: "user", sub: "alice", read: { userIds: ["bob"] } } as const;
    expect(await ask(some, ["alice", "bob"])).toMatchObject({
      type: "last_seen",
      id: expect.any(Number),
      data: { alice: { status: "online" }, bob: { status: "online" } },
    });
    expect(await ask(some, ["alice", "carol"])).toMatchObject({ type: "error", code: "FORBIDDEN" });
    expect(await ask(some, [])).toMatchObject({ data: {} });
    expect(await ask({ tokenType: "user", sub: "alice" }, ["bob"])).toMatchObject({ code: "FORBIDDEN" });
    expect(await ask("alice", ["carol", "nobody"])).toMatchObject({ data: { carol: { status: "online" } } });
    expect(await ask({ tokenType: "app" }, ["carol"])).toMatchObject({ data: { carol: {} } });
    const counts = { tokenType: "user", sub: "alice", read: { counts: true } } as const;
    expect(await ask(counts, ["carol"])).toMatchObject({ code: "FORBIDDEN" });
    const tooMany = Array.from({ length: 1_001 }, (_, i) => `u${i}`);
    for (const bad of [undefined, "alice", [1], tooMany]) {
      const answer = await ask({ tokenType: "app" }, bad);
      expect(answer).toMatchObject({ code: "BAD_MESSAGE", issues: expect.any(Array) });
      expect(answer.issues[0].path).toBe("userIds");
    }
    const client = await gateway.connect();
    client.send({ type: "last_seen", userIds: [] });
    expect(await client.next("error")).toMatchObject({ code: "BAD_MESSAGE", issues: [{ path: "id" }] });
  });

  it("is not kept for apps that do not ask for it", async (context) => {
    const { gateway } = await setUp(context);
    const { status, json } = await gateway.http("POST", `/v1/${OTHER.id}/last-seen`, { userIds: [] });
    expect([status, json.errorCode]).toEqual([404, "NOT_FOUND"]);
    const client = await gateway.socket({ appId: OTHER.id });
    client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }, undefined, OTHER.id) });
    await client.next("connected");
    expect(await client.ask({ type: "last_seen", userIds: [] })).toMatchObject({ code: "NOT_FOUND" });
  });

  it("says what is wrong with a request", async (context) => {
    const { gateway } = await setUp(context);
    const tooMany = Array.from({ length: 1_001 }, (_, i) => `u${i}`);
    const bad: [body: unknown, field: string][] = [
      [{}, "userIds"],
      [undefined, "userIds"],
      [{ userIds: [""] }, "userIds"],
      [{ userIds: tooMany }, "userIds"],
      [{ userIds: [], users: [] }, "users"],
      [[], "body"],
    ];
    for (const [body, field] of bad) {
      const { status, json } = await gateway.http("POST", `${V1}/last-seen`, body);
      expect([status, Object.keys(json.reasons)]).toEqual([400, [field]]);
    }
    const { status } = await gateway.http("POST", `${V1}/last-seen`, {}, { authorization: "Bearer x" });
    expect(status).toBe(401);
  });
});

describe.each(TRANSPORTS)("erasing a user over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { app: { lastSeen: true } });
  });
  afterAll(() => gateway.stop());

  const FORMS: [name: string, pathOf: (userId: string) => string][] = [
    ["in the path", (userId) => `${V1}/users/${encodeURIComponent(userId)}`],
    ["in the query", (userId) => `${V1}/users?userId=${encodeURIComponent(userId)}`],
  ];
  it.each(FORMS)("with the user %s ends all sessions and forgets the rest", async (form, pathOf) => {
    const userId = `alice ${form}`;
    const user = `${V1}/users/${encodeURIComponent(userId)}`;
    const alice = await gateway.connect(userId);
    const sessionId = await alice.open({});
    const lost = await gateway.connect(userId);
    const lostId = await lost.open({});
    lost.terminate();
    await gateway.http("PUT", `${user}/sessions/bot`, {});
    await gateway.http("PUT", `${user}/status`, { availability: "busy", text: "x" });
    const watcher = await gateway.connect();
    await watcher.subscribe({ userIds: [userId] });

    const { status, json } = await gateway.http("DELETE", pathOf(userId));
    expect([status, json]).toEqual([200, { ended: 3, erased: true }]);
    expect(await alice.next("closed")).toMatchObject({ sessionId, cause: "kicked" });
    expect(await watcher.next("diff")).toMatchObject({
      data: { [userId]: null },
      causes: { [userId]: "kicked" },
    });
    expect((await gateway.http("GET", `${user}/status`)).json.data).toEqual({ availability: "available" });
    const seen = await gateway.http("POST", `${V1}/last-seen`, { userIds: [userId] });
    expect(seen.json.data).toEqual({});
    expect(gateway.presence().table.profiles.has(userId)).toBe(false);

    // The socket stays open, and nothing can be resumed.
    for (const id of [sessionId, lostId]) {
      const opened = await alice.ask({ type: "open", kind: "widget", sessionId: id });
      expect(opened).toMatchObject({ type: "opened", resumed: false });
    }
    expect((await gateway.query({ userIds: [userId] }))[userId].status).toBe("online");
    expect((await gateway.http("DELETE", pathOf(userId))).json).toEqual({ ended: 2, erased: true });
    expect((await gateway.http("DELETE", pathOf(userId))).json).toEqual({ ended: 0, erased: true });
  });

  it("never shows a user who was invisible", async () => {
    const user = `${V1}/users/ivy`;
    await gateway.http("PUT", `${user}/status`, { availability: "invisible" });
    await gateway.http("PUT", `${user}/sessions/a`);
    await gateway.http("PUT", `${user}/sessions/b`, { kind: "background" });
    const watcher = await gateway.connect();
    await watcher.subscribe({ includeBackgroundSessions: true, userIds: ["ivy"] });
    expect((await gateway.http("DELETE", user)).json).toEqual({ ended: 2, erased: true });
    await watcher.settled();
    await gateway.http("PUT", `${user}/sessions/a`);
    expect(await watcher.next("diff")).toMatchObject({ version: 2, data: { ivy: { status: "online" } } });
    expect((await gateway.http("POST", `${V1}/last-seen`, { userIds: ["ivy"] })).json.data).toEqual({
      ivy: { status: "online" },
    });
  });

  it("needs the rights of a back end, and a user", async () => {
    expect((await gateway.http("DELETE", `${V1}/users/x`, undefined, { authorization: "" })).status).toBe(
      401,
    );
    expect((await gateway.http("DELETE", `${V1}/users`)).json.reasons).toHaveProperty("userId");
    // What is one part longer is about the sessions of a user in the query, and never erases anybody.
    for (const path of ["sessions", "status"]) {
      const { status, json } = await gateway.http("DELETE", `${V1}/users/${path}`);
      expect([status, Object.keys(json.reasons)]).toEqual([400, ["userId"]]);
      expect((await gateway.http("DELETE", `${V1}/users?userId=${path}`)).json.erased).toBe(true);
    }
    const { status, headers } = await gateway.http("GET", `${V1}/users/x`);
    expect([status, headers.get("allow")]).toEqual([405, "DELETE"]);
  });
});
