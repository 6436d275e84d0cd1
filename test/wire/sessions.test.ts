import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const WINDOW_MS = 700;

describe.each(TRANSPORTS)("sessions over %s", (transport) => {
  const clock = new HandClock();
  let gateway: TestGateway;
  beforeAll(async () => {
    const env = {
      RESUME_WINDOW_MS: String(WINDOW_MS),
      DIFF_INTERVAL_MS: "0",
      MAX_CONNECTS_PER_SECOND: "100000",
      HTTP_REQUESTS_PER_SECOND: "100000",
    };
    gateway = await TestGateway.start(transport, { clock, env });
  });
  afterAll(() => gateway.stop());

  const turn = (ms?: number) => clock.turn(gateway, ms);
  const lost = () => gateway.presence().debugCounts().disconnected!;
  /** Waits until the gateway has lost a socket's session, though its client knew earlier. */
  const losing = async (act: () => void) => {
    const before = lost();
    act();
    await until(() => lost() > before);
  };

  let users = 0;
  /** A user of each test's own, so that tests do not meet; a watcher of theirs; and their socket. */
  async function setUp() {
    const user = `user ${++users}`;
    const watcher = await gateway.connect();
    const { view } = await watcher.subscribe({ userIds: [user], includeBackgroundSessions: true });
    const client = await gateway.connect(user);
    const isOnline = async () =>
      user in (await gateway.query({ userIds: [user], includeBackgroundSessions: true }));
    return { user, watcher, view, client, isOnline };
  }

  it.each([
    ["no close frame", undefined],
    ["1001", 1001],
    ["3000", 3000],
    ["1011", 1011],
    ["4999", 4999],
  ])("are lost, and wait, when their socket ends with %s", async (_name, code) => {
    const { user, watcher, client, isOnline } = await setUp();
    const sessionId = await client.open({ hasFocus: true });
    await watcher.next("diff");
    await losing(() => (code === undefined ? client.terminate() : client.socket.close(code)));
    turn(WINDOW_MS - 1);
    expect(await isOnline()).toBe(true);
    const again = await gateway.connect(user);
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({
      sessionId,
      resumed: true,
    });
    turn(WINDOW_MS * 1.5);
    expect(await isOnline()).toBe(true);
    // Nobody saw a thing.
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
  });

  it.each([
    ["1000", 1000],
    ["no code", undefined],
  ])("end at once, cause closed, when their socket is closed with %s", async (_name, code) => {
    const { user, watcher, client } = await setUp();
    const sessionId = await client.open({});
    await watcher.next("diff");
    if (code === undefined) client.socket.close();
    else client.socket.close(code);
    expect((await watcher.next("diff")).causes).toEqual({ [user]: "closed" });
    const again = await gateway.connect(user);
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: false });
  });

  it("end with cause timeout when nobody resumes them in time", async () => {
    const { user, watcher, client } = await setUp();
    const sessionId = await client.open({});
    await watcher.next("diff");
    await losing(() => client.terminate());
    turn(WINDOW_MS - 1);
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    turn(1);
    expect((await watcher.next("diff")).causes).toEqual({ [user]: "timeout" });
    const again = await gateway.connect(user);
    expect(await again.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: false });
  });

  it("are resumed as they were; what the message gives is set, the rest stays", async () => {
    const { user, watcher, view, client } = await setUp();
    const sessionId = await client.open({
      selectedConversationId: "c1",
      hasFocus: true,
      custom: { a: "1", b: "2" },
    });
    await watcher.next("diff");
    await losing(() => client.terminate());
    const again = await gateway.connect(user);
    await again.ask({ type: "open", kind: "widget", sessionId, hasFocus: false, custom: { b: null } });
    await watcher.next("diff");
    expect(watcher.views.get(view)!.data[user].widgets).toEqual([
      { selectedConversationId: "c1", custom: { a: "1" }, hasFocus: false, isTyping: false, sessionId },
    ]);
  });

  it("cannot be resumed by another user, of another kind, or under a made-up id", async () => {
    const { user, client } = await setUp();
    const sessionId = await client.open({});
    const other = await gateway.connect("somebody else");
    expect(await other.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: false });
    const own = await gateway.connect(user);
    expect(await own.ask({ type: "open", kind: "background", sessionId })).toMatchObject({ resumed: false });
    const made = await own.ask({ type: "open", kind: "widget", sessionId: "made up" });
    expect(made.resumed).toBe(false);
    expect(made.sessionId).not.toBe("made up");
    // The socket that holds it keeps it.
    expect(await client.ask({ type: "update", sessionId, hasFocus: true })).toMatchObject({ type: "ok" });
  });

  it("are taken over from a live socket, which is told and stays open; subscribers see no change", async () => {
    const { user, watcher, client } = await setUp();
    const sessionId = await client.open({ isTyping: true });
    await watcher.next("diff");
    const other = await gateway.connect(user);
    expect(await other.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({
      sessionId,
      resumed: true,
    });
    expect(await client.next("closed")).toEqual({ type: "closed", sessionId, cause: "replaced" });
    expect(await client.ask({ type: "update", sessionId, hasFocus: true })).toMatchObject({
      code: "NOT_FOUND",
    });
    // The end of the old socket, however clean, is nothing to the session now.
    const { sockets } = gateway.presence();
    client.socket.close(1000);
    await client.closed;
    await until(() => gateway.presence().sockets < sockets);
    turn(WINDOW_MS * 1.5);
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    expect(await other.ask({ type: "update", hasFocus: true })).toMatchObject({ type: "ok" });
  });

  it("of five tabs are one join and one leave, in whatever order the tabs close", async () => {
    const { user, watcher, client } = await setUp();
    const tabs = [client, ...(await Promise.all([1, 2, 3, 4].map(() => gateway.connect(user))))];
    for (const tab of tabs) await tab.open({});
    for (const [i, tab] of new Random(SEED).shuffle(tabs).entries()) {
      if (i % 2 === 0) tab.socket.close(1000);
      else await losing(() => tab.terminate());
      await tab.closed;
    }
    await until(() => gateway.presence().table.user(user)?.sessions.length === 2);
    turn(WINDOW_MS);
    await watcher.take(({ causes }) => causes !== undefined);
    const diffs = watcher.inbox.filter(({ type }) => type === "diff");
    expect(diffs.every(({ data }) => data[user] !== null)).toBe(true);
    turn(WINDOW_MS);
    await watcher.settled();
    expect(watcher.inbox.filter(({ causes }) => causes !== undefined)).toEqual([]);
  });

  it("of a user are ended by a kick, all of them, on every socket; the sockets live on", async () => {
    const { user, watcher, client } = await setUp();
    const other = await gateway.connect(user);
    const ids = [await client.open({}), await client.open({ kind: "background" }), await other.open({})];
    const gone = await gateway.connect(user);
    await gone.open({});
    await losing(() => gone.terminate());
    const before = watcher.views.size;
    const { json } = await gateway.http("DELETE", `/v1/${APP}/users/${encodeURIComponent(user)}/sessions`);
    expect(json).toEqual({ ended: 4 });
    expect((await watcher.take(({ causes }) => causes !== undefined)).causes).toEqual({ [user]: "kicked" });
    const told = [await client.next("closed"), await client.next("closed"), await other.next("closed")];
    expect(told.map(({ cause }) => cause)).toEqual(["kicked", "kicked", "kicked"]);
    expect(told.map(({ sessionId }) => sessionId).sort()).toEqual([...ids].sort());
    await client.open({});
    expect(watcher.views.size).toBe(before);
    expect((await gateway.http("DELETE", `/v1/${APP}/users/nobody/sessions`)).json).toEqual({ ended: 0 });
  });

  it("keep their order, and list only the sessions that match", async () => {
    const { user, client } = await setUp();
    const first = await client.open({ selectedConversationId: "c1" });
    const second = await client.open({ selectedConversationId: "c2", hasFocus: true });
    const third = await client.open({ selectedConversationId: "c1", hasFocus: true });
    await client.ask({ type: "update", sessionId: first, custom: { touched: "last" } });
    const ids = async (filter: object) =>
      (await gateway.query({ userIds: [user], ...filter }))[user]?.widgets.map(
        (each: { sessionId: string }) => each.sessionId,
      );
    expect(await ids({})).toEqual([first, second, third]);
    expect(await ids({ selectedConversationId: "c1" })).toEqual([first, third]);
    expect(await ids({ selectedConversationId: "c1", hasFocus: true })).toEqual([third]);
    expect(await ids({ selectedConversationId: "c2", hasFocus: false })).toBeUndefined();
  });

  it("have custom fields of any name, and patches that add up", async () => {
    const { user, client } = await setUp();
    const custom = async () => (await gateway.query({ userIds: [user] }))[user].widgets[0].custom;
    await client.open({
      custom: JSON.parse('{"__proto__":"1","constructor":"2","":"3","ü":"4","gone":null}'),
    });
    expect(Object.entries(await custom()).sort()).toEqual([
      ["", "3"],
      ["__proto__", "1"],
      ["constructor", "2"],
      ["ü", "4"],
    ]);
    client.send('{"type":"update","custom":{"__proto__":null,"constructor":"changed","new":"5"}}');
    await client.settled();
    expect(Object.entries(await custom()).sort()).toEqual([
      ["", "3"],
      ["constructor", "changed"],
      ["new", "5"],
      ["ü", "4"],
    ]);
    await client.ask({ type: "update", custom: null });
    expect(await custom()).toEqual({});
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("confirm only messages with an id, except open, and always report errors", async () => {
    const { client } = await setUp();
    client.send({ type: "open", kind: "background" });
    client.send({ type: "update", hasFocus: true });
    client.send({ type: "close" });
    client.send({ type: "update", hasFocus: true });
    client.send({ type: "ping", id: 0 });
    await client.next("pong");
    expect(client.inbox.map(({ type }) => type)).toEqual(["opened", "error"]);
    expect(client.inbox[1]).not.toHaveProperty("id");
  });
});
