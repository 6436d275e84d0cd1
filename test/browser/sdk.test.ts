import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ClientOptions, PresenceClient, Session, Status, Subscription } from "../../src/client/types.ts";
import { describeInBrowser, type TestBrowser } from "../support/browser.ts";
import { bundle } from "../support/bundle.ts";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { TcpProxy } from "../support/proxy.ts";
import { type ServedPage, servePage } from "../support/serve-page.ts";

declare const presence: PresenceClient;
declare const sdk: typeof import("../../src/client/index.ts");
declare const config: ClientOptions;
declare let more: Session[];
declare const session: Session;
declare const subscription: Subscription;
declare const seen: string[];
declare const statuses: Status[];
declare const events: string[];

const OPTIONS: TestGatewayOptions = {
  env: {
    HEARTBEAT_INTERVAL_MS: "2000",
    // Long enough for a page to load on a busy machine.
    RESUME_WINDOW_MS: "16000",
    // The observer has the diff of a change as soon as a query shows the change.
    DIFF_INTERVAL_MS: "0",
  },
};

/** A gateway behind a network that can fail, an observer without that network, and people with tabs. */
class Scene {
  gateway!: TestGateway;
  proxy!: TcpProxy;
  site!: ServedPage;
  watcher!: TestClient;
  readonly #browser: TestBrowser;

  constructor(browser: TestBrowser) {
    this.#browser = browser;
  }

  async start(): Promise<void> {
    this.site = await servePage("chat.ts");
    this.gateway = await TestGateway.start("ws", OPTIONS);
    this.proxy = await TcpProxy.start(this.gateway.gateway.port);
    await this.watch();
  }

  async watch(): Promise<void> {
    this.watcher = await this.gateway.connect();
    await this.watcher.subscribe({ selectedConversationId: "c1" });
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.proxy.stop();
    await this.site.stop();
  }

  /** A tab of this person that shows the chat. */
  async tab(userId: string): Promise<Page> {
    const context = await this.#browser.newContext();
    const token = await this.gateway.token({ tokenType: "user", sub: userId, read: "all" });
    const config = { url: `http://127.0.0.1:${this.proxy.port}`, appId: APP, token };
    await context.addInitScript((value) => Object.assign(globalThis, { config: value }), config);
    return await this.#browser.open(`${this.site.url}/inbox`, context);
  }

  /** Users that entered, changed and left since the last call, as the observer sees it. */
  async diffs(): Promise<string[]> {
    await this.watcher.settled();
    return this.watcher.inbox
      .splice(0)
      .filter(({ type }) => type === "diff")
      .flatMap(({ data, causes = {} }) =>
        Object.keys(data).map((userId) => (data[userId] ? userId : `-${userId} ${causes[userId]}`)),
      )
      .sort();
  }

  async users(): Promise<string[]> {
    return Object.keys(await this.gateway.query({ selectedConversationId: "c1" })).sort();
  }
}

const opened = (page: Page) => expect.poll(() => page.evaluate(() => session.state)).toBe("open");
const idOf = (page: Page) => page.evaluate(() => session.id);
/** Changes since `forget`, sorted, because simultaneous changes may arrive as one. */
const seenBy = (page: Page) => page.evaluate(() => [...seen].sort());
const forget = (page: Page) => page.evaluate(() => void seen.splice(0));

describeInBrowser("the SDK in pages", (browser) => {
  const scene = new Scene(browser);
  beforeEach(() => scene.start());
  afterEach(() => scene.stop());

  it("shows in one tab who is typing in another, until they stop", async () => {
    const [alice, bob] = [await scene.tab("alice"), await scene.tab("bob")];
    await Promise.all([opened(alice), opened(bob)]);
    await scene.diffs();
    await alice.locator("input").pressSequentially("hello, bob", { delay: 20 });
    await expect.poll(() => bob.textContent("p")).toBe("alice is typing");
    // The SDK ends typing 5 s after the last key.
    await expect.poll(() => bob.textContent("p")).toBe("");
    expect(await scene.diffs()).toEqual(["alice", "alice"]);
    await expect.poll(() => seenBy(bob)).toEqual(["+alice", "+bob"]);
  });

  it("continues its session on the next page and after a reload, and no other client notices", async () => {
    const page = await scene.tab("alice");
    await opened(page);
    const id = await idOf(page);
    expect(await scene.diffs()).toEqual(["alice"]);
    await page.goto(`${scene.site.url}/settings`);
    await opened(page);
    expect(await idOf(page)).toBe(id);
    await page.reload();
    await opened(page);
    expect(await idOf(page)).toBe(id);
    expect(await scene.diffs()).toEqual([]);
  });

  it("has its own session in a duplicated tab", async () => {
    const page = await scene.tab("alice");
    await opened(page);
    const id = await idOf(page);
    // A page that opens another copies its storage, like duplicating the tab.
    const [copy] = await Promise.all([
      page.waitForEvent("popup"),
      page.evaluate("void window.open(location.href)"),
    ]);
    await opened(copy);
    expect(await idOf(copy)).not.toBe(id);
    expect(await idOf(page)).toBe(id);
    expect((await scene.gateway.query()).alice.widgets).toHaveLength(2);
    await copy.evaluate(() => presence.close());
    await expect.poll(async () => (await scene.gateway.query()).alice.widgets.length).toBe(1);
  });

  it("runs in a worker", async () => {
    const page = await scene.tab("bob");
    const code = await bundle(join(PROJECT, "test/browser/pages/sdk.ts"));
    const token = await scene.gateway.token({ tokenType: "user", sub: "alice", read: "all" });
    const options = { url: scene.gateway.url, appId: APP, token };
    const work = `${code}
      const presence = sdk.createClient(${JSON.stringify(options)});
      presence.open({ kind: "widget", selectedConversationId: "c1", trackFocus: true });
      presence.subscribe({ userIds: ["alice"] }, (users) => users.size > 0 && postMessage([...users.keys()]));`;
    const told = await page.evaluate(`new Promise((resolve) => {
      const blob = new Blob([${JSON.stringify(work)}], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(blob));
      worker.onmessage = ({ data }) => resolve(data);
    })`);
    expect(told).toEqual(["alice"]);
  });

  it("resumes after the network was down: nobody noticed, and it has missed nothing", async () => {
    const page = await scene.tab("alice");
    const bob = await scene.gateway.connect("bob");
    const bobs = await bob.open({ selectedConversationId: "c1" });
    await expect.poll(() => page.evaluate(() => subscription.snapshot?.size)).toBe(2);
    const id = await idOf(page);
    await Promise.all([scene.diffs(), forget(page)]);

    browser.allow(/WebSocket connection to .* failed/);
    scene.proxy.refuse(true);
    scene.proxy.cut();
    await page.context().setOffline(true);
    await expect.poll(() => page.evaluate(() => presence.status())).toBe("reconnecting");
    await bob.ask({ type: "close", sessionId: bobs });
    await (await scene.gateway.connect("carol")).open({ selectedConversationId: "c1" });
    scene.proxy.refuse(false);
    await page.context().setOffline(false);
    await opened(page);
    expect(await idOf(page)).toBe(id);
    await expect.poll(() => seenBy(page)).toEqual(["+carol", "-bob closed"]);
    expect(await scene.diffs()).toEqual(["-bob closed", "carol"]);
  });

  it("detects a dead connection", async () => {
    const page = await scene.tab("alice");
    await opened(page);
    browser.allow(/WebSocket connection to .* failed/);
    scene.proxy.blackhole(true);
    await expect.poll(() => page.evaluate(() => presence.status())).toBe("reconnecting");
    scene.proxy.cut();
    scene.proxy.blackhole(false);
    await expect.poll(() => page.evaluate(() => presence.status())).toBe("connected");
  });

  it("tolerates a restart of the gateway, and a user that does not return has left", async () => {
    const [alice, bob, carol] = [await scene.tab("alice"), await scene.tab("bob"), await scene.tab("carol")];
    for (const page of [alice, bob, carol]) {
      await expect.poll(() => page.evaluate(() => subscription.snapshot?.size)).toBe(3);
    }
    await Promise.all([forget(alice), forget(bob)]);
    browser.allow(/WebSocket connection to .* failed/);
    const old = scene.gateway;
    await old.stop();
    await carol.close();
    scene.gateway = await TestGateway.start("ws", OPTIONS);
    scene.proxy.retarget(scene.gateway.gateway.port);
    await expect.poll(() => scene.users()).toEqual(["alice", "bob"]);
    await expect.poll(() => seenBy(alice)).toEqual(["-carol timeout"]);
    await expect.poll(() => seenBy(bob)).toEqual(["-carol timeout"]);
    expect(await alice.evaluate(() => [...subscription.snapshot!.keys()].sort())).toEqual(["alice", "bob"]);
    await scene.watch();
  });
});

describeInBrowser(
  "the SDK in pages that come back",
  (browser) => {
    const scene = new Scene(browser);
    beforeEach(() => scene.start());
    afterEach(() => scene.stop());

    it("takes its session back from the intermediate page", async () => {
      const page = await scene.tab("alice");
      await opened(page);
      const id = await idOf(page);
      await scene.diffs();
      await page.goto(`${scene.site.url}/settings`);
      await opened(page);
      expect(await idOf(page)).toBe(id);
      await page.goBack({ waitUntil: "commit" });
      // The same page from the cache, and not a new one.
      const lives = ["pageshow false", "pagehide true", "pageshow true"];
      await expect.poll(() => page.evaluate(() => events)).toEqual(lives);
      await opened(page);
      expect(await idOf(page)).toBe(id);
      expect(await page.evaluate(() => statuses)).toContain("idle");
      expect(await scene.diffs()).toEqual([]);
    });

    it("has a session for each client in it, those of another copy of the SDK too, whichever page comes", async () => {
      const code = await bundle(join(PROJECT, "test/browser/pages/sdk.ts"));
      const page = await scene.tab("alice");
      /** Three clients besides the one of the page; two of them are of a second copy. */
      const openMore = () =>
        page.evaluate((text) => {
          const load = new Function(`${text}; return sdk;`);
          const copies: (typeof sdk)[] = [load(), load()];
          more = [0, 1, 1].map((i) => copies[i]!.createClient(config).open({ kind: "widget" }));
        }, code);
      const ids = async () => {
        await opened(page);
        const states = () => page.evaluate(() => more.map(({ state }) => state));
        await expect.poll(states).toEqual(["open", "open", "open"]);
        return await page.evaluate(() => [session, ...more].map(({ id }) => id));
      };
      const widgets = async () => (await scene.gateway.query()).alice.widgets.length;
      await openMore();
      const before = await ids();
      expect(new Set(before).size).toBe(4);
      await page.reload();
      await openMore();
      expect(await ids()).toEqual(before);
      await page.goto(`${scene.site.url}/settings`);
      await openMore();
      expect(await ids()).toEqual(before);
      await page.goBack({ waitUntil: "commit" });
      await expect.poll(() => page.evaluate(() => events)).toContain("pageshow true");
      expect(await ids()).toEqual(before);
      expect(await widgets()).toBe(4);
    });

    it("survives being frozen, and then knows what happened meanwhile", async () => {
      const page = await scene.tab("alice");
      await opened(page);
      await expect.poll(() => page.evaluate(() => subscription.snapshot?.size)).toBe(1);
      await Promise.all([scene.diffs(), forget(page)]);
      const devtools = await page.context().newCDPSession(page);
      await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
      await (await scene.gateway.connect("bob")).open({ selectedConversationId: "c1" });
      // Three heartbeats, which is longer than a silent socket may live.
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      await devtools.send("Page.setWebLifecycleState", { state: "active" });
      await expect.poll(() => seenBy(page)).toEqual(["+bob"]);
      expect(await scene.diffs()).toEqual(["bob"]);
    });

    it("has the focus in the active window", async () => {
      const first = await scene.tab("alice");
      const second = await browser.open(`${scene.site.url}/inbox`, first.context());
      for (const page of [first, second]) {
        await opened(page);
        const devtools = await page.context().newCDPSession(page);
        // Otherwise every page of a test believes that it has the focus.
        await devtools.send("Emulation.setFocusEmulationEnabled", { enabled: false });
      }
      const [firstId, secondId] = [await idOf(first), await idOf(second)];
      const focused = async () => {
        const found = await scene.gateway.query({ hasFocus: true });
        return found.alice?.widgets.map(({ sessionId }: { sessionId: string }) => sessionId);
      };
      await first.bringToFront();
      await expect.poll(focused).toEqual([firstId]);
      await second.bringToFront();
      await expect.poll(focused).toEqual([secondId]);
      await second.evaluate(() => session.set({ visible: false }));
      await expect.poll(focused).toBeUndefined();
      await second.evaluate(() => session.set({ visible: true }));
      await expect.poll(focused).toEqual([secondId]);
    });

    it("has the focus in a frame of the active window, and loses it with the window", async () => {
      const page = await scene.tab("alice");
      await opened(page);
      const other = await page.context().newPage();
      for (const each of [page, other]) {
        const devtools = await each.context().newCDPSession(each);
        await devtools.send("Emulation.setFocusEmulationEnabled", { enabled: false });
      }
      await page.bringToFront();
      await page.evaluate(`document.body.append(
        Object.assign(document.createElement("iframe"), { srcdoc: "<input>" }))`);
      const focused = async () => Object.keys(await scene.gateway.query({ hasFocus: true }));
      await expect.poll(focused).toEqual(["alice"]);
      await page.frameLocator("iframe").locator("input").click();
      await scene.diffs();
      for (let i = 0; i < 2; i++) {
        await other.bringToFront();
        await expect.poll(focused).toEqual([]);
        await page.bringToFront();
        await expect.poll(focused).toEqual(["alice"]);
      }
      // Once for each change, and not for each look.
      expect(await scene.diffs()).toEqual(["alice", "alice", "alice", "alice"]);
    });
  },
  { hasWindows: true, ignoreDefaultArgs: ["--disable-back-forward-cache"] },
);
