import { afterEach, describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../src/core/sessions/session.ts";
import { ownPort } from "../programs/own-port.ts";
import { describeInBrowser } from "../support/browser.ts";
import { accessibilityProblems, DashboardPage, type PageElement, populate } from "../support/dashboard.ts";
import { appToken, forge } from "../support/forge.ts";
import { TestGateway } from "../support/gateway.ts";

const THEMES = ["light", "dark"] as const;
/** So that the details of a user cause no 404. */
const WITH_LAST_SEEN = { app: { lastSeen: true } };
const PHONE = { width: 360, height: 740 };

describeInBrowser("the dashboard's states", (browser) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  /** The page polls a node that is down. */
  const allowLostNode = () =>
    browser.allow(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket/);

  it("connection lost: the page reports it, keeps its rows, and continues by itself", async () => {
    allowLostNode();
    const PORT = String(await ownPort());
    gateway = await TestGateway.start("ws", { env: { PORT } });
    populate(gateway, ["alice", "bob"]);
    const dashboard = await DashboardPage.open(browser, gateway);
    await dashboard.expectUsers("alice", "bob");
    await gateway.stop();
    await dashboard.expectStatus(/^Reconnecting( in \d+ s|…), as of \d\d:\d\d:\d\d$/);
    await dashboard.expectUsers("alice", "bob");
    await expect.poll(() => dashboard.grid.getAttribute("class")).toContain("stale");
    expect(await dashboard.page.locator(".notice").textContent()).toMatch(/as of \d\d:\d\d:\d\d/);
    await expect
      .poll(() => dashboard.page.locator("p[role=status]").textContent())
      .toMatch(/^Connection lost/);
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    // After a restart the gateway waits this long for sessions to return.
    const env = { PORT, RESUME_WINDOW_MS: "500" };
    gateway = await TestGateway.start("ws", { env });
    populate(gateway, ["bob", "carol"]);
    await expect.poll(() => dashboard.page.locator(".status-pill").textContent()).toBe("Live");
    await dashboard.expectUsers("bob", "carol");
    await expect.poll(() => dashboard.grid.getAttribute("class")).not.toContain("stale");
    const feed = async () => (await dashboard.page.locator(".activity-list li").allTextContents()).join();
    await expect.poll(feed).toMatch(/aliceleft: connection lost/);
    await expect.poll(feed).toMatch(/carolentered/);
  });

  it("the page's origin may not connect: the page says what to add, as its browser does not", async () => {
    browser.allow(/WebSocket/);
    gateway = await TestGateway.start("ws", {
      app: { lastSeen: true, allowedOrigins: ["https://app.example"] },
    });
    const { page } = await DashboardPage.open(browser, gateway);
    await expect
      .poll(() => page.locator(".notice").textContent())
      .toContain(`If the app has allowedOrigins, add "${gateway.url}".`);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  /** Enters a token where the page asks for another one. */
  async function renew(dashboard: DashboardPage, token: string): Promise<void> {
    const { page } = dashboard;
    await page.getByRole("button", { name: "Enter another token" }).click();
    await page.getByLabel("App token").fill(token);
    await page.getByRole("button", { name: "Continue" }).click();
  }

  describe("not authorized", () => {
    // A refusal is final only after half a minute, so both pages wait at the same time.
    it("a token of somebody else, or one that has expired: says so, and goes on with a good one", async () => {
      browser.allow(/401|WebSocket/);
      gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
      populate(gateway, ["alice"]);
      const bad = [
        forge({ key: "another secret, as long as the real one" }),
        await appToken({ exp: 1_000_000_000 }),
      ];
      const pages = await Promise.all(
        bad.map((token) => browser.open(`${gateway.url}/dashboard/#token=${token}`)),
      );
      for (const page of pages) {
        await expect.poll(() => page.locator(".status-pill").textContent()).toBe("No rights");
        expect(await page.locator(".notice").textContent()).toMatch(/No rights.*another app token/);
        await expect.poll(() => page.locator(".node").textContent()).toContain("401");
        expect(await page.getByRole("grid").count()).toBe(0);
        expect(await accessibilityProblems(page)).toEqual([]);
      }
      const dashboard = DashboardPage.of(pages[0]!);
      await renew(dashboard, await gateway.token({ tokenType: "app" }));
      await dashboard.expectUsers("alice");
      await dashboard.expectStatus("Live");
      await pages[1]!.getByRole("button", { name: "Sign out" }).click();
      await pages[1]!.getByLabel("App token").waitFor();
    });

    it("a user's token is not even sent", async () => {
      gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
      const token = await gateway.token({ tokenType: "user", sub: "alice", read: "all" });
      const page = await browser.open(`${gateway.url}/dashboard/#token=${token}`);
      await expect.poll(() => page.getByRole("alert").textContent()).toContain("for one user");
      expect(page.url()).toBe(`${gateway.url}/dashboard/`);
      expect(gateway.node.admissions.connections).toBe(0);
    });
  });

  describe("another token", () => {
    const seconds = () => Math.floor(Date.now() / 1000);

    it("before it ends: the page says so ten minutes before, and takes the next one", async () => {
      gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
      populate(gateway, ["alice"]);
      const claims = { tokenType: "app" } as const;
      const soon = await gateway.token(claims, seconds() + 590);
      const page = await browser.open(`${gateway.url}/dashboard/#token=${soon}`);
      const dashboard = DashboardPage.of(page);
      await dashboard.expectUsers("alice");
      const notice = page.locator(".token-notice");
      expect(await notice.textContent()).toMatch(/Your token ends at \d\d:\d\d:\d\d/);
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      const foreign = forge({ payload: { iss: "another-app", tokenType: "app" } });
      await renew(dashboard, foreign);
      expect(await page.getByRole("alert").textContent()).toContain("“another-app”");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      await page.getByLabel("App token").fill(await gateway.token(claims, seconds() + 7_200));
      await page.getByRole("button", { name: "Continue" }).click();
      await expect.poll(() => notice.count()).toBe(0);
      await dashboard.expectStatus("Live");
      await dashboard.expectUsers("alice");
      await expect.poll(() => gateway.node.admissions.connections).toBe(1);
    });

    it("after it has ended: the page keeps what it shows, and goes on from there", async () => {
      browser.allow(/401|WebSocket/);
      gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
      populate(gateway, ["alice"]);
      // Long enough for the page to load and to follow a change on a busy machine.
      const short = await gateway.token({ tokenType: "app" }, seconds() + 12);
      const page = await browser.open(`${gateway.url}/dashboard/#token=${short}`);
      const dashboard = DashboardPage.of(page);
      await dashboard.expectUsers("alice");
      populate(gateway, ["bob"]);
      await dashboard.expectUsers("alice", "bob");
      await dashboard.expectStatus(/^Reconnecting/);
      expect(await page.locator(".token-notice").textContent()).toMatch(/Your token ended at \d\d:\d\d/);
      await dashboard.expectUsers("alice", "bob");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      populate(gateway, ["carol"]);
      await renew(dashboard, await gateway.token({ tokenType: "app" }));
      await dashboard.expectStatus("Live");
      await dashboard.expectUsers("alice", "bob", "carol");
      const feed = async () => (await page.locator(".activity-list li").allTextContents()).join();
      await expect.poll(feed).toMatch(/carolentered.*bobentered/);
      await expect.poll(() => page.locator(".token-notice").count()).toBe(0);
      await expect.poll(() => page.locator(".node .problem").count()).toBe(0);
    });
  });

  it("failed: an invalid filter is reported, and another filter works", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    populate(gateway, ["alice"]);
    const dashboard = await DashboardPage.open(browser, gateway, `conversation=${"x".repeat(300)}`);
    await dashboard.expectStatus("Failed");
    expect(await dashboard.page.locator(".notice").textContent()).toContain("at most 255 characters");
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    await dashboard.page.getByRole("button", { name: "Reset filter" }).click();
    await dashboard.expectUsers("alice");
    await dashboard.expectStatus("Live");
  });

  describe.each(THEMES)("in %s", (colorScheme) => {
    it("axe finds nothing serious: sign-in, empty, full, with details, with a filter", async () => {
      gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
      const { page: form } = await openForm(colorScheme);
      await form.getByRole("button", { name: "Sign in" }).click();
      expect(await accessibilityProblems(form)).toEqual([]);
      const dashboard = await DashboardPage.open(browser, gateway, "", { colorScheme });
      const { page } = dashboard;
      await expect.poll(() => page.locator(".notice").textContent()).toContain("Nobody is here");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      const custom = { plan: "gold", page: "/orders/17" };
      populate(gateway, numbered(60), { selectedConversationId: "c1", hasFocus: true, custom });
      populate(gateway, ["typist"], { selectedConversationId: "c2", isTyping: true });
      await expect.poll(async () => (await dashboard.users()).length).toBeGreaterThan(10);
      await dashboard.rows.nth(3).click({ position: { x: 300, y: 4 } });
      await dashboard.details.waitFor();
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      await page.getByLabel("Only these users").fill("user-1");
      await page.getByLabel("Only these users").press("Enter");
      await dashboard.expectUsers("user-1");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      await page.getByRole("button", { name: "Reset filter" }).click();
      await dashboard.choose("Rows", "Conversations");
      await page.getByRole("table", { name: "Conversations" }).waitFor();
      await page.getByRole("button", { name: "Pause" }).click();
      await dashboard.expectStatus(/^Paused/);
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      expect(await page.evaluate("document.documentElement.dataset.theme")).toBe(colorScheme);
    });
  });

  async function openForm(colorScheme: "light" | "dark") {
    const context = await browser.newContext({ colorScheme });
    return { page: await browser.open(`${gateway.url}/dashboard/`, context) };
  }

  it("the theme is the system's, or the chosen one, which is remembered", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    const dashboard = await DashboardPage.open(browser, gateway, "", { colorScheme: "dark" });
    const { page } = dashboard;
    const theme = () => page.evaluate("document.documentElement.dataset.theme");
    await expect.poll(theme).toBe("dark");
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(theme).toBe("light");
    await page.getByRole("button", { name: "Dark mode" }).click();
    await expect.poll(theme).toBe("dark");
    await page.getByRole("button", { name: "Light mode" }).waitFor();
    await page.reload();
    await expect.poll(theme).toBe("dark");
    expect(await page.evaluate("Object.values(localStorage)")).toEqual(["dark"]);
  });

  it("on a phone the first user is on the screen, and filter and charts unfold", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    populate(gateway, numbered(50), { selectedConversationId: "c1" });
    const dashboard = await DashboardPage.open(browser, gateway, "user=user-1", { viewport: PHONE });
    const { page } = dashboard;
    await dashboard.expectUsers("user-1");
    const { y, height } = (await dashboard.row("user-1").boundingBox())!;
    expect(y + height).toBeLessThan(PHONE.height / 2);
    expect(await page.locator(".filter-bar, .charts").count()).toBe(0);
    const filter = page.getByRole("button", { name: "Filter: 1 set" });
    expect(await filter.getAttribute("aria-expanded")).toBe("false");
    await filter.click();
    await expect.poll(() => filter.getAttribute("aria-expanded")).toBe("true");
    await page.getByRole("button", { name: "Charts" }).click();
    await expect.poll(() => page.locator(".chart-value").first().textContent()).toBe("1");
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    await page.getByRole("button", { name: "Reset filter" }).click();
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await expect.poll(() => page.locator(".filter-bar").count()).toBe(0);
    await dashboard.choose("Rows", "Conversations");
    const rows = page.locator(".conversations .grid-body [role=row]");
    await expect
      .poll(() => rows.allTextContents())
      .toEqual(["c150 users50 available0 focused0 typinguser-1user-248 more"]);
    expect(await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")).toEqual([360, 360]);
  });

  it("20,000 conversations: the page contains few rows", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    const presence = gateway.presence();
    presence.transact(gateway.node.clock.now(), (sessions) => {
      for (const userId of numbered(20_000)) {
        const fields = { ...NEW_SESSION, selectedConversationId: `of ${userId}` };
        sessions.open(userId, "widget", fields, { onSessionTaken() {} });
      }
    });
    const dashboard = await DashboardPage.open(browser, gateway, "view=conversations");
    const table = dashboard.page.getByRole("table", { name: "Conversations" });
    await expect.poll(() => table.getAttribute("aria-rowcount")).toBe("20001");
    expect(await dashboard.rows.count()).toBeLessThan(100);
    await table.evaluate((element) => (element as unknown as PageElement).scrollTo(0, 1e9));
    await expect.poll(() => dashboard.rows.last().getAttribute("aria-rowindex")).toBe("20001");
    expect(await dashboard.rows.count()).toBeLessThan(100);
  });

  it("at 1280 pixels no usual cell of the users is cut off", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    const presence = gateway.presence();
    presence.transact(gateway.node.clock.now(), (sessions) => {
      const connection = { onSessionTaken() {} };
      sessions.open("user-100", "background", NEW_SESSION, connection);
      sessions.open("user-101", "background", NEW_SESSION, connection);
    });
    populate(gateway, ["user-101"], { selectedConversationId: "conversation-14" });
    const dashboard = await DashboardPage.open(browser, gateway, "background=yes");
    await dashboard.expectUsers("user-100", "user-101");
    expect(await dashboard.rows.nth(1).textContent()).toContain("1 widget · 1 background");
    const cut = await dashboard.page.evaluate(`
      [...document.querySelectorAll(".grid-body .cell, .grid-body .cell *")]
        .filter(({ scrollWidth, clientWidth }) => clientWidth > 0 && scrollWidth > clientWidth)
        .map(({ textContent }) => textContent)`);
    expect(cut).toEqual([]);
  });

  it("on a phone nothing is wider than the page", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    const long = "x".repeat(255);
    populate(gateway, [...numbered(50), long], {
      selectedConversationId: long,
      custom: { [long.slice(64)]: long },
    });
    const dashboard = await DashboardPage.open(browser, gateway, `user=${long}&user=user-1`, {
      viewport: PHONE,
    });
    const { page } = dashboard;
    await expect.poll(async () => (await dashboard.users()).length).toBe(2);
    const widths = () => page.evaluate("[document.documentElement.scrollWidth, innerWidth]");
    expect(await widths()).toEqual([360, 360]);
    await dashboard.row(long).click({ position: { x: 200, y: 55 } });
    await dashboard.details.waitFor();
    expect(await widths()).toEqual([360, 360]);
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    await page.getByRole("button", { name: "Close details" }).click();
    await page.getByLabel("Sort").selectOption("status");
    await expect.poll(() => dashboard.fragment()).toContain("sort=status");
  });

  it("20,000 users: the page contains few rows, and all rows are reachable", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    populate(gateway, numbered(20_000), { selectedConversationId: "c1" });
    const dashboard = await DashboardPage.open(browser, gateway);
    const { page, grid, rows } = dashboard;
    await expect.poll(() => grid.getAttribute("aria-rowcount")).toBe("20001");
    expect((await dashboard.users())[0]).toBe("user-1");
    expect(await rows.count()).toBeLessThan(100);
    await grid.evaluate((element) => {
      const { scrollHeight } = element as unknown as PageElement;
      (element as unknown as PageElement).scrollTo(0, scrollHeight);
    });
    await expect.poll(async () => (await dashboard.users()).at(-1)).toBe("user-20000");
    expect(await rows.count()).toBeLessThan(100);
    expect(await rows.last().getAttribute("aria-rowindex")).toBe("20001");
    await grid.focus();
    await page.keyboard.press("Control+Home");
    await expect.poll(async () => (await dashboard.users())[0]).toBe("user-1");
    await page.keyboard.press("PageDown");
    await page.keyboard.press("PageDown");
    const active = () =>
      page.evaluate(
        `document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.textContent`,
      );
    await expect.poll(active).toMatch(/^user-\d\d$/);
    await page.getByRole("searchbox").fill("user-1999");
    await dashboard.expectUsers("user-1999", ...Array.from({ length: 10 }, (_, i) => `user-1999${i}`));
    expect(await page.locator(".counts").textContent()).toContain("20,000 users");
  });

  it("20,000 users with many changes: the page keeps scrolling and contains few rows", async () => {
    gateway = await TestGateway.start("ws", WITH_LAST_SEEN);
    populate(gateway, numbered(20_000), { selectedConversationId: "c1" });
    const dashboard = await DashboardPage.open(browser, gateway);
    const { page, grid } = dashboard;
    await expect.poll(() => grid.getAttribute("aria-rowcount")).toBe("20001");
    let turn = 0;
    const changes = setInterval(() => {
      const presence = gateway.presence();
      const now = gateway.node.clock.now();
      presence.transact(now, (sessions) => {
        for (let i = 0; i < 20; i++) {
          const [session] = presence.table.user(`user-${1 + ((turn * 20 + i) % 20_000)}`)!.sessions;
          sessions.update(session!, { hasFocus: turn % 2 === 0 });
        }
      });
      turn++;
    }, 100);
    try {
      const frames = (await page.evaluate(`new Promise((resolve) => {
        const grid = document.querySelector("[role=grid]");
        const frames = [];
        let last = performance.now();
        const step = (now) => {
          frames.push(now - last);
          last = now;
          grid.scrollTop += 400;
          if (frames.length < 90) requestAnimationFrame(step);
          else resolve(frames.sort((one, other) => one - other));
        };
        requestAnimationFrame(step);
      })`)) as number[];
      const at = (part: number) => frames[Math.floor(part * (frames.length - 1))]!;
      process.stdout.write(
        `20,000 rows, 10 diffs/s, scrolling: frames p50 ${at(0.5).toFixed(1)} p95 ${at(0.95).toFixed(1)} max ${at(1).toFixed(1)} ms\n`,
      );
      // The duration of a frame depends on the machine. The work per frame is bounded by the number of rows
      // in the page.
      expect(await dashboard.rows.count()).toBeLessThan(100);
      await grid.evaluate((element) => (element as unknown as PageElement).scrollTo(0, 1e9));
      await expect.poll(async () => (await dashboard.users()).at(-1)).toBe("user-20000");
    } finally {
      clearInterval(changes);
    }
  });
});

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `user-${i + 1}`);
}
