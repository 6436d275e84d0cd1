import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { OpenOptions, PresenceFilter } from "../../src/client/types.ts";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { type ServedPage, servePage } from "../support/serve-page.ts";

interface Chat {
  readonly session?: OpenOptions | null;
  readonly filter?: PresenceFilter | null;
  readonly ownClient?: boolean;
  readonly isText?: boolean;
  readonly hasNeighbour?: boolean;
  readonly isHidden?: boolean;
  readonly me?: string;
}

declare function show(chat: object): void;
declare function hide(): void;
declare const log: { renders: Record<string, number>; tokens: number; neighbour: string[] };

describeInBrowser("the React hooks, in strict mode", (browser) => {
  let site: ServedPage;
  let gateway: TestGateway;
  let watcher: TestClient;
  let page: Page;

  beforeEach(async () => {
    site = await servePage("react.tsx", { development: true });
    gateway = await TestGateway.start("ws", { env: { DIFF_INTERVAL_MS: "0" } });
    watcher = await gateway.connect();
    watcher.send({ type: "subscribe", id: 1, filter: { includeBackgroundSessions: true } });
    await watcher.next("snapshot");
    page = await browser.open(site.url);
  });
  afterEach(async () => {
    await gateway.stop();
    await site.stop();
  });

  const showChat = async (user: string, given: Chat, read: object = { conversationIds: ["c1"] }) => {
    const token = await gateway.token({ tokenType: "user", sub: user, read });
    const chat = { url: gateway.url, appId: APP, token, session: null, filter: null, ...given };
    await page.evaluate((props) => show(props), chat);
  };
  const state = () => page.textContent("#state");
  const rows = () => page.locator("li").allTextContents();
  /** Users that entered and left since the last call, as another client sees it. */
  const seen = async () => {
    watcher.send({ type: "ping", id: 99 });
    await watcher.next("pong");
    return watcher.inbox
      .splice(0)
      .filter((message) => message.type === "diff")
      .map(({ data, causes = {} }) =>
        Object.keys(data)
          .map((userId) => (data[userId] === null ? `-${userId} ${causes[userId]}` : `+${userId}`))
          .join(),
      );
  };
  const stats = async () => (await gateway.http("GET", `/v1/${APP}/stats`)).json;
  const widget: OpenOptions = { kind: "widget", selectedConversationId: "c1" };

  it("opens one session and closes it with the component", async () => {
    await showChat("alice", { session: widget, filter: { selectedConversationId: "c1" } });
    await expect.poll(rows).toEqual(["alice"]);
    expect(await state()).toBe("connected active ");
    expect(await seen()).toEqual(["+alice"]);
    expect(await stats()).toMatchObject({ sessions: 1, subscriptions: 2, sockets: 2 });
    expect(await page.evaluate(() => log.tokens)).toBe(1);
    await page.evaluate(() => hide());
    await expect.poll(seen).toEqual(["-alice closed"]);
    // The provider's client is closed too.
    await expect.poll(stats).toMatchObject({ sessions: 0, subscriptions: 1, sockets: 1 });
  });

  it("shows who is typing from the other's key presses until they stop", async () => {
    await showChat("bob", { session: widget, filter: { selectedConversationId: "c1" } });
    await expect.poll(rows).toEqual(["bob"]);
    const alice = await gateway.connect("alice");
    const sessionId = await alice.open({ selectedConversationId: "c1" });
    await expect.poll(rows).toEqual(["alice", "bob"]);
    alice.send({ type: "update", sessionId, isTyping: true });
    await expect.poll(rows).toEqual(["alice is typing", "bob"]);
    alice.send({ type: "update", sessionId, isTyping: false });
    await expect.poll(rows).toEqual(["alice", "bob"]);

    await seen();
    await page.getByLabel("message").pressSequentially("hello");
    await expect.poll(rows).toEqual(["alice", "bob is typing"]);
    await page.getByLabel("message").blur();
    await expect.poll(rows).toEqual(["alice", "bob"]);
    expect(await seen()).toEqual(["+bob", "+bob"]);
  });

  it("renders only the rows of changed users", async () => {
    await showChat("bob", { session: widget, filter: { selectedConversationId: "c1" } });
    await expect.poll(rows).toEqual(["bob"]);
    const alice = await gateway.connect("alice");
    const sessionId = await alice.open({ selectedConversationId: "c1" });
    await expect.poll(rows).toEqual(["alice", "bob"]);
    const before = await page.evaluate(() => log.renders);
    alice.send({ type: "update", sessionId, isTyping: true });
    await expect.poll(rows).toEqual(["alice is typing", "bob"]);
    const after = await page.evaluate(() => log.renders);
    expect(after.bob).toBe(before.bob);
    expect(after.alice).toBeGreaterThan(before.alice!);
  });

  it("keeps session and subscription across renders, and sends changes", async () => {
    const filter = { selectedConversationId: "c1" };
    await showChat("alice", { session: { ...widget, custom: { a: "1", b: "2" } }, filter });
    await expect.poll(rows).toEqual(["alice"]);
    await seen();
    for (let i = 0; i < 10; i++)
      await showChat("alice", { session: { ...widget, custom: { a: "1", b: "2" } }, filter });
    expect(await seen()).toEqual([]);
    await showChat("alice", { session: { ...widget, custom: { a: "1", c: "3" }, visible: true }, filter });
    const custom = async () => (await gateway.query()).alice?.widgets[0].custom;
    await expect.poll(custom).toEqual({ a: "1", c: "3" });
    await showChat("alice", { session: { ...widget, selectedConversationId: "c2" }, filter });
    await expect.poll(rows).toEqual([]);
    expect((await gateway.query()).alice.widgets).toMatchObject([
      { selectedConversationId: "c2", custom: {} },
    ]);
    expect(await stats()).toMatchObject({ sessions: 1, subscriptions: 2 });
  });

  it("opens another session for another kind, and none for null", async () => {
    await showChat("alice", { session: { ...widget, key: "k" } });
    await expect.poll(async () => (await gateway.query()).alice?.widgets.length).toBe(1);
    await showChat("alice", { session: { ...widget, key: "k", trackFocus: true } });
    await expect.poll(async () => (await gateway.query()).alice?.widgets).toMatchObject([{ hasFocus: true }]);
    await showChat("alice", { session: { kind: "background" } });
    await expect.poll(stats).toMatchObject({ sessions: 1, widgets: 0, backgroundSessions: 1 });
    await showChat("alice", { session: null });
    await expect.poll(stats).toMatchObject({ sessions: 0 });
    await showChat("alice", { session: widget });
    await expect.poll(stats).toMatchObject({ sessions: 1, widgets: 1 });
  });

  it("shows the own status and a count, and declares another status", async () => {
    const filter = { selectedConversationId: "c1" };
    await showChat("alice", { session: widget, filter, me: "alice" });
    const button = () => page.textContent("button");
    await expect.poll(button).toBe("online  active 1");
    await gateway.connect("bob").then((bob) => bob.open({ selectedConversationId: "c1" }));
    await expect.poll(button).toBe("online  active 2");
    await page.click("button");
    await expect.poll(button).toBe("dnd busy active 2");
    await showChat("alice", { session: widget, filter: null, me: "alice" });
    await expect.poll(button).toBe("dnd busy pending ");
    await page.evaluate(() => hide());
    await expect.poll(stats).toMatchObject({ subscriptions: 1, sockets: 2 });
  });

  it("explains an empty result, and continues with another filter", async () => {
    await showChat("alice", { filter: {} });
    await expect.poll(state).toBe("connected error FORBIDDEN");
    await showChat("alice", { filter: { selectedConversationId: "c1" } });
    await expect.poll(state).toBe("connected active ");
    await showChat("alice", { filter: null });
    await expect.poll(state).toBe("connected pending ");
    await expect.poll(stats).toMatchObject({ subscriptions: 1 });
  });

  it("has the users at once in a component that mounts beside another", async () => {
    const filter = { selectedConversationId: "c1" };
    await showChat("alice", { session: widget, filter });
    await expect.poll(rows).toEqual(["alice"]);
    await showChat("alice", { session: widget, filter, hasNeighbour: true });
    await expect.poll(() => page.evaluate(() => log.neighbour.length)).toBeGreaterThan(0);
    const bob = await gateway.connect("bob");
    await bob.open({ selectedConversationId: "c1" });
    await expect.poll(rows).toEqual(["alice", "bob"]);
    await expect.poll(() => page.evaluate(() => log.neighbour.at(-1))).toBe("active alice,bob");
    expect(await page.evaluate(() => [...new Set(log.neighbour)])).toEqual([
      "active alice",
      "active alice,bob",
    ]);
    expect(await stats()).toMatchObject({ subscriptions: 2 });
    // The neighbour goes, and the list lives on; then all go.
    await showChat("alice", { session: widget, filter });
    await bob.ask({ type: "close" });
    await expect.poll(rows).toEqual(["alice"]);
    await showChat("alice", { session: widget });
    await expect.poll(stats).toMatchObject({ subscriptions: 1 });
  });

  it("tries a refused filter again for a component that mounts later", async () => {
    const filter = { selectedConversationId: "c9" };
    await showChat("alice", { filter });
    await expect.poll(state).toBe("connected error FORBIDDEN");
    await showChat("alice", { filter, hasNeighbour: true });
    await expect.poll(() => page.evaluate(() => log.neighbour)).toContain("pending ");
    await expect.poll(state).toBe("connected error FORBIDDEN");
    await expect.poll(() => page.evaluate(() => log.neighbour.at(-1))).toBe("error ");
  });

  it("replaces its client for another token text: the session of the new one survives a reload", async () => {
    await showChat("alice", { session: widget, isText: true });
    const id = async () =>
      (await gateway.query()).alice?.widgets.map(({ sessionId }: { sessionId: string }) => sessionId);
    await expect.poll(id).toHaveLength(1);
    const first = await id();
    await showChat("alice", { session: widget, isText: true }, { conversationIds: ["c1", "c2"] });
    await expect.poll(async () => [(await stats()).sessions, await id()]).not.toEqual([1, first]);
    await expect.poll(stats).toMatchObject({ sessions: 1, sockets: 2 });
    const second = await id();
    await page.reload();
    await showChat("alice", { session: widget, isText: true });
    await expect.poll(stats).toMatchObject({ sockets: 2 });
    await expect.poll(async () => page.textContent("#state")).toMatch(/^connected/);
    await expect.poll(id).toEqual(second);
    expect(await stats()).toMatchObject({ sessions: 1 });
  });

  it("is there again after it was hidden", async () => {
    const chat = { session: widget, filter: { selectedConversationId: "c1" } };
    await showChat("alice", chat);
    await expect.poll(rows).toEqual(["alice"]);
    await showChat("alice", { ...chat, isHidden: true });
    await expect.poll(stats).toMatchObject({ sessions: 0, sockets: 1 });
    await showChat("alice", chat);
    await expect.poll(rows).toEqual(["alice"]);
    expect(await state()).toBe("connected active ");
    expect(await stats()).toMatchObject({ sessions: 1, sockets: 2 });
  });

  it("does not close a client that it was given", async () => {
    await showChat("alice", { session: widget, ownClient: true });
    await expect.poll(stats).toMatchObject({ sessions: 1, sockets: 2 });
    await page.evaluate(() => hide());
    await expect.poll(stats).toMatchObject({ sessions: 0, sockets: 2 });
    await showChat("alice", { session: widget, ownClient: true });
    await expect.poll(stats).toMatchObject({ sessions: 1, sockets: 2 });
  });
});
