import { afterEach, describe, expect, it } from "vitest";
import { readEvents } from "../support/events.ts";
import { TestGateway } from "../support/gateway.ts";
import { TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

describe.each(TRANSPORTS)("patches over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const start = async () => {
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
    const alice = await gateway.connect("alice");
    await alice.open({ selectedConversationId: "c1", custom: { page: "inbox" } });
    return alice;
  };

  it("come to those who ask for them, whole values to others, of one view", async () => {
    const alice = await start();
    const [patched, plain] = [await gateway.connect(), await gateway.connect()];
    const snapshot = await patched.ask({ type: "subscribe", filter: {}, patch: true });
    expect(await plain.subscribe({})).toEqual({ ...snapshot, id: expect.any(Number) });
    const events = await readEvents(gateway, {});
    await events.next();
    const { sessionId } = snapshot.data.alice.widgets[0];
    await alice.ask({ type: "update", isTyping: true });
    const { view } = snapshot;
    expect(await patched.next("diff")).toEqual({
      type: "diff",
      view,
      version: 2,
      data: { alice: { changed: { [sessionId]: { isTyping: true } } } },
    });
    const { widgets } = snapshot.data.alice;
    const whole = {
      type: "diff",
      view,
      version: 2,
      data: { alice: { ...snapshot.data.alice, widgets: [{ ...widgets[0], isTyping: true }] } },
    };
    expect(await plain.next("diff")).toEqual(whole);
    expect(JSON.parse((await events.next()).data)).toEqual(whole);
    events.close();
    await alice.ask({ type: "status", text: "in a call", emoji: "📞" });
    await alice.ask({ type: "status", text: null, availability: "busy" });
    const custom = { type: "update", custom: { page: null, mood: "fine" } };
    await alice.ask(custom);
    const second = await alice.open({});
    await alice.ask({ type: "close", sessionId: second });
    const changed = {};
    const datas = [
      { changed, statusText: "in a call", statusEmoji: "📞" },
      { changed, status: "busy", statusText: null },
      { changed: { [sessionId]: { custom: { mood: "fine" } } } },
      { status: "busy", statusEmoji: "📞", backgroundSessions: [], widgets: [{}, { sessionId: second }] },
      { status: "busy", statusEmoji: "📞", backgroundSessions: [], widgets: [{}] },
    ];
    for (const data of datas) expect((await patched.next("diff")).data.alice).toMatchObject(data);
    for (const _ of datas) expect((await plain.next("diff")).data.alice).not.toHaveProperty("changed");
    expect(patched.views.get(view)).toEqual(plain.views.get(view));
  });

  it("come as the last subscribe on the socket says", async () => {
    const alice = await start();
    const reader = await gateway.connect();
    for (const patch of [true, false, true, undefined, true]) {
      const answer = await reader.ask({ type: "subscribe", filter: {}, patch });
      expect(answer.data.alice).not.toHaveProperty("changed");
      await alice.ask({ type: "update", custom: { n: String(Math.random()) } });
      expect("changed" in (await reader.next("diff")).data.alice).toBe(patch === true);
    }
    const bad = await reader.ask({ type: "subscribe", filter: {}, patch: "no" });
    expect(bad).toMatchObject({ code: "BAD_MESSAGE", issues: [{ path: "patch" }] });
    await alice.ask({ type: "update", isTyping: true });
    expect((await reader.next("diff")).data.alice).toHaveProperty("changed");
  });

  it("may be among the missed diffs of those who ask for them, and never of others", async () => {
    const alice = await start();
    const [stays, patched, plain] = [
      await gateway.connect(),
      await gateway.connect(),
      await gateway.connect(),
    ];
    const subscribe = { type: "subscribe", filter: {} };
    const { view, version } = await stays.ask({ ...subscribe, patch: true });
    await patched.ask({ ...subscribe, patch: true });
    await plain.subscribe({});
    for (const reader of [patched, plain]) await reader.ask({ type: "unsubscribe", view });
    await alice.ask({ type: "update", isTyping: true });
    await alice.ask({ type: "update", hasFocus: true });
    const since = { view, version };
    const resumed = { type: "resumed", view, version };
    expect(await patched.ask({ ...subscribe, since, patch: true })).toMatchObject(resumed);
    expect(await plain.ask({ ...subscribe, since })).toMatchObject(resumed);
    for (let i = 0; i < 2; i++) {
      expect((await patched.next("diff")).data.alice).toHaveProperty("changed");
      expect((await plain.next("diff")).data.alice).not.toHaveProperty("changed");
    }
    await stays.settled();
    for (const reader of [patched, plain]) expect(reader.views.get(view)).toEqual(stays.views.get(view));
  });

  it("mean nothing to a count", async () => {
    const alice = await start();
    const reader = await gateway.connect();
    const answer = await reader.ask({ type: "subscribe", filter: {}, count: true, patch: true });
    expect(answer).toMatchObject({ type: "count", users: 1 });
    await alice.ask({ type: "update", isTyping: true });
    await (await gateway.connect("bob")).open({});
    expect(await reader.next("count")).toMatchObject({ view: answer.view, version: 2, users: 2 });
  });

  it("are folded by the SDK, which always asks for them", async () => {
    const alice = await start();
    const plain = await gateway.connect();
    const { view } = await plain.subscribe({});
    const sdk = new TestSdk(gateway.url, await gateway.token({ tokenType: "app" }));
    const watched = sdk.watch({});
    await until(() => watched.snapshots.length > 0);
    await alice.ask({ type: "update", isTyping: true });
    await alice.ask({ type: "status", availability: "away", text: "out" });
    await alice.ask({ type: "update", custom: { mood: "fine" } });
    await plain.settled();
    const expected = () => plain.views.get(view)!.data;
    await until(() => watched.data.alice?.widgets[0]?.custom.mood === "fine");
    // Field after field in the same order, so that a snapshot of the same state is no change.
    expect(JSON.stringify(watched.data)).toBe(JSON.stringify(expected()));
    await sdk.client.close();
  });
});
