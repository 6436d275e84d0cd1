import { afterEach, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("filters on custom and fields over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());
  const start = async () => {
    gateway = await TestGateway.start(transport, {
      env: { DIFF_INTERVAL_MS: "0" },
      app: { indexedCustom: ["team", "__proto__"] },
    });
    return await gateway.connect();
  };

  it("that no index covers are refused, and the message alone says why", async () => {
    const app = await start();
    for (const type of ["subscribe", "query"] as const) {
      expect(await app.ask({ type, filter: { custom: { free: "yes" } } })).toMatchObject({
        type: "error",
        code: "BAD_MESSAGE",
        message: expect.stringContaining("custom asks for no key that the app has in indexedCustom"),
        issues: [{ path: "filter.custom" }],
      });
    }
  });

  it("find the sessions with one of the values, for every key, on the same session", async () => {
    const app = await start();
    await app.open({ userId: "alice", custom: { team: "billing", free: "yes" } });
    await app.open({ userId: "bob", custom: { team: "billing" } });
    await app.open({ userId: "bob", custom: { team: "sales", free: "yes" } });
    await app.open({ userId: "carol", custom: { team: "", free: "yes" } });
    const found = async (filter: object) => Object.keys(await gateway.query(filter)).sort();
    expect(await found({ custom: { team: "billing" } })).toEqual(["alice", "bob"]);
    expect(await found({ custom: { team: "billing", free: "yes" } })).toEqual(["alice"]);
    expect(await found({ custom: { team: ["billing", "", "sales"], free: ["yes"] } })).toEqual([
      "alice",
      "bob",
      "carol",
    ]);
    expect(await found({ custom: { team: "" } })).toEqual(["carol"]);
    expect(await found({ custom: { free: "yes" }, userIds: ["carol"] })).toEqual(["carol"]);
    expect(await found({ custom: { free: "yes" }, selectedConversationId: null })).toHaveLength(3);
    expect(await found(JSON.parse('{"custom":{"__proto__":"x"}}'))).toEqual([]);
    // Only the sessions that match are listed.
    expect((await gateway.query({ custom: { team: "sales" } })).bob.widgets).toHaveLength(1);
  });

  it("follow a session whose values change", async () => {
    const app = await start();
    const watcher = await gateway.connect();
    await watcher.subscribe({ custom: { team: ["billing", "sales"] }, fields: ["custom"] });
    const sessionId = await app.open({ userId: "alice", custom: { team: "legal" } });
    const move = (custom: object | null) => app.ask({ type: "update", sessionId, custom });
    await move({ team: "sales" });
    const custom = (await watcher.next("diff")).data.alice.widgets;
    expect(custom).toEqual([{ custom: { team: "sales" } }]);
    await move({ team: "billing" });
    expect((await watcher.next("diff")).data.alice.widgets[0].custom).toEqual({ team: "billing" });
    await move(null);
    expect(await watcher.next("diff")).toMatchObject({ data: { alice: null }, causes: { alice: "changed" } });
  });

  it("need an index, ids or a conversation, and say so with their path", async () => {
    const app = await start();
    const bad: [custom: unknown, path: string][] = [
      [{ mood: "x" }, "custom"],
      [{}, "custom"],
      [[], "custom"],
      ["team", "custom"],
      [{ team: [] }, "custom"],
      [{ team: 1 }, "custom"],
      [{ team: null }, "custom"],
      [{ team: Array.from({ length: 17 }, (_, i) => `${i}`) }, "custom"],
      [{ team: "x".repeat(513) }, "custom"],
      [{ team: "a", b: "", c: "", d: "", e: "" }, "custom"],
      [{ team: "a", ["k".repeat(65)]: "" }, "custom"],
    ];
    for (const [custom, path] of bad) {
      const answer = await app.ask({ type: "query", filter: { custom } });
      expect(answer).toMatchObject({ code: "BAD_MESSAGE", issues: [{ path: `filter.${path}` }] });
      const { status, json } = await gateway.http("POST", `/v1/${APP}/presences`, { custom });
      expect([status, Object.keys(json.reasons)]).toEqual([400, [path]]);
      const query = encodeURIComponent(JSON.stringify({ custom }));
      const streamed = await gateway.http("GET", `/v1/${APP}/presences/stream?filter=${query}`);
      expect([streamed.status, Object.keys(streamed.json.reasons)]).toEqual([400, [path]]);
    }
    const values = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(512, "x"));
    const most = { team: values, b: values, c: values, ["k".repeat(64)]: "" };
    expect(await app.ask({ type: "query", filter: { custom: most } })).toMatchObject({ data: {} });
  });

  it("list the chosen fields in the usual order, and what does not show in them is no diff", async () => {
    const app = await start();
    const custom = { team: "billing" };
    const sessionId = await app.open({ userId: "alice", custom });
    const watcher = await gateway.connect();
    const { data, view } = await watcher.subscribe({ fields: ["sessionId", "custom", "sessionId"] });
    expect(JSON.stringify(data.alice)).toBe(
      `{"status":"online","backgroundSessions":[],"widgets":[{"custom":{"team":"billing"},"sessionId":"${sessionId}"}]}`,
    );
    const bare = await watcher.subscribe({ fields: [] });
    expect(bare.data).toEqual({ alice: { status: "online" } });
    const typing = await watcher.subscribe({ fields: [], isTyping: true });
    const update = (fields: object) => app.ask({ type: "update", sessionId, ...fields });
    await update({ hasFocus: true, selectedConversationId: "c1" });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    await update({ isTyping: true });
    expect(await watcher.next("diff")).toMatchObject({
      view: typing.view,
      data: { alice: { status: "online" } },
    });
    await update({ custom: { team: "sales" } });
    expect(await watcher.next("diff")).toMatchObject({ view, version: 2 });
    const second = await app.open({ userId: "alice" });
    expect(await watcher.next("diff")).toMatchObject({ view, version: 3 });
    await app.ask({ type: "close", sessionId: second });
    expect(await watcher.next("diff")).toMatchObject({ view, version: 4 });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    for (const fields of [["status"], "custom", [1], Array(101).fill("custom")]) {
      const { code, issues } = await app.ask({ type: "query", filter: { fields } });
      expect([code, issues[0].path]).toEqual(["BAD_MESSAGE", "filter.fields"]);
    }
  });
});
