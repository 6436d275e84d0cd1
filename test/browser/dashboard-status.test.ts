import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { DashboardPage } from "../support/dashboard.ts";
import { TestGateway } from "../support/gateway.ts";

const HOUR = 3_600_000;

describeInBrowser("statuses in the dashboard", (browser) => {
  let gateway: TestGateway;
  let client: TestClient;
  const open = (fragment?: string) => DashboardPage.open(browser, gateway, fragment);

  beforeEach(async () => {
    gateway = await TestGateway.start("ws", { app: { indexedCustom: ["plan"], lastSeen: true } });
    client = await gateway.connect();
    await client.open({ userId: "alice", selectedConversationId: "c1", custom: { plan: "gold", team: "a" } });
    await client.open({ userId: "bob", selectedConversationId: "c1", custom: { plan: "free" } });
    await client.open({ userId: "carol", isIdle: true });
    await client.ask({
      type: "status",
      userId: "bob",
      availability: "busy",
      text: "In a meeting",
      emoji: "🎧",
    });
  });
  afterEach(() => gateway.stop());

  it("are in the rows, the counts and the conversations, live", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    const statusOf = (userId: string) => dashboard.row(userId).locator(".cell.status").textContent();
    expect(await statusOf("alice")).toBe("online");
    expect(await statusOf("bob")).toBe("busy 🎧 In a meeting");
    expect(await statusOf("carol")).toBe("idle");
    await expect.poll(() => page.locator(".counts").textContent()).toContain("1 idle1 busy");
    await client.ask({ type: "status", userId: "alice", availability: "dnd" });
    await expect.poll(() => statusOf("alice")).toBe("do not disturb");
    await client.ask({ type: "status", userId: "bob", availability: null, text: null, emoji: null });
    await expect.poll(() => statusOf("bob")).toBe("online");
    await page.getByRole("columnheader", { name: "Status" }).getByRole("button").click();
    await dashboard.expectUsers("bob", "carol", "alice");
    await page.getByRole("searchbox").fill("nobody has this");
    await page.getByRole("searchbox").fill("");
    await dashboard.choose("Rows", "Conversations");
    await expect
      .poll(() => page.locator(".conversations .grid-body [role=row]").first().textContent())
      .toContain("c12 users1 available");
    expect(await dashboard.accessibilityProblems()).toEqual([]);
  });

  it("and custom fields filter, and the address has them", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    const group = page.getByRole("group", { name: "Status" });
    await group.getByRole("checkbox", { name: "busy" }).check({ force: true });
    await dashboard.expectUsers("bob");
    await group.getByRole("checkbox", { name: "idle" }).check({ force: true });
    await dashboard.expectUsers("bob", "carol");
    expect(dashboard.fragment()).toBe("status=idle&status=busy");
    await group.getByRole("checkbox", { name: "busy" }).uncheck({ force: true });
    await group.getByRole("checkbox", { name: "idle" }).uncheck({ force: true });
    await dashboard.expectUsers("alice", "bob", "carol");

    const custom = page.getByLabel("Custom fields", { exact: true });
    await custom.fill("gold");
    await custom.press("Enter");
    await expect
      .poll(() => page.locator(".custom-field").getByRole("alert").textContent())
      .toBe("Enter name=value.");
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    await custom.fill("plan=gold");
    await custom.press("Enter");
    await dashboard.expectUsers("alice");
    await custom.fill("plan=free");
    await custom.press("Enter");
    await dashboard.expectUsers("alice", "bob");
    expect(dashboard.fragment()).toBe("custom.plan=gold&custom.plan=free");
    expect(await page.locator(".curl-line").textContent()).toContain('{"custom":{"plan":["gold","free"]}}');
    await page.getByRole("button", { name: "Remove plan=gold" }).click();
    await dashboard.expectUsers("bob");
    await page.goBack();
    await dashboard.expectUsers("alice", "bob");
    await page.reload();
    await page.getByLabel("App token").waitFor();
    expect(dashboard.fragment()).toBe("custom.plan=gold&custom.plan=free");
  });

  it("says which custom fields the gateway can find, if it refuses one", async () => {
    const dashboard = await open("custom.team=a");
    await dashboard.expectStatus("Failed");
    expect(await dashboard.page.locator(".notice").textContent()).toContain("indexedCustom");
    await dashboard.page.getByRole("button", { name: "Remove team=a" }).click();
    await dashboard.expectUsers("alice", "bob", "carol");
  });

  describe("of a user", () => {
    async function openDetails(userId: string): Promise<DashboardPage> {
      const dashboard = await open();
      await dashboard.expectUsers("alice", "bob", "carol");
      await dashboard.row(userId).getByRole("button", { name: userId }).click();
      return dashboard;
    }

    it("are set and cleared, after a question", async () => {
      const dashboard = await openDetails("alice");
      const { page, details } = dashboard;
      const focused = () =>
        page.evaluate("document.activeElement.name || document.activeElement.textContent");
      await details.getByRole("button", { name: "Set status…" }).click();
      const question = page.getByRole("alertdialog");
      await expect.poll(focused).toBe("availability");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      await page.keyboard.press("Escape");
      await expect.poll(() => question.count()).toBe(0);
      await expect.poll(focused).toBe("Set status…");
      await details.getByRole("button", { name: "Set status…" }).click();
      await question.getByLabel("Status").selectOption("away");
      await question.getByLabel("Emoji").fill("🍜");
      await question.getByLabel("Text").fill("Lunch");
      await question.getByLabel("How long").selectOption("for 1 hour");
      const before = Date.now();
      await question.getByLabel("Text").press("Enter");
      await expect.poll(() => details.getByRole("status").textContent()).toBe("The status is set.");
      await expect
        .poll(() => dashboard.row("alice").locator(".cell.status").textContent())
        .toBe("away 🍜 Lunch");
      await expect
        .poll(() => details.textContent())
        .toMatch(/Declaredaway 🍜 Lunch until \d+ \w+ \d{4}, \d\d:\d\d/);
      const { json } = await gateway.http("GET", "/v1/test-app/users/alice/status");
      expect(json.data).toMatchObject({ availability: "away", text: "Lunch", emoji: "🍜" });
      expect(json.data.expiresAt).toBeGreaterThanOrEqual(before + HOUR);

      // The next question begins with what is declared.
      await details.getByRole("button", { name: "Set status…" }).click();
      expect(await question.getByLabel("Text").inputValue()).toBe("Lunch");
      expect(await question.getByLabel("Status").inputValue()).toBe("away");
      await question.getByRole("button", { name: "Cancel" }).click();

      await details.getByRole("button", { name: "Clear status…" }).click();
      await question.getByRole("button", { name: "Clear it" }).click();
      await expect.poll(() => details.getByRole("status").textContent()).toBe("The status is cleared.");
      await expect.poll(() => dashboard.row("alice").locator(".cell.status").textContent()).toBe("online");
      await expect.poll(() => details.textContent()).not.toContain("Declared");
    });

    it("say when the user was last seen", async () => {
      const dashboard = await openDetails("alice");
      const { details } = dashboard;
      await expect.poll(() => details.textContent()).toContain("Last seennow");
      await gateway.http("DELETE", "/v1/test-app/users/alice/sessions");
      await dashboard.expectUsers("bob", "carol");
      await expect.poll(() => details.textContent()).toMatch(/Last seen\d+ \w+ \d{4}, \d\d:\d\d/);
    });

    it("are forgotten with the user, after a question", async () => {
      const dashboard = await openDetails("bob");
      const { page, details } = dashboard;
      await details.getByRole("button", { name: "Erase user…" }).click();
      const question = page.getByRole("alertdialog");
      expect(await question.textContent()).toContain("cannot be undone");
      await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("Cancel");
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      await question.getByRole("button", { name: "Cancel" }).click();
      await dashboard.expectUsers("alice", "bob", "carol");
      await details.getByRole("button", { name: "Erase user…" }).click();
      await question.getByRole("button", { name: "Erase the user" }).click();
      await expect
        .poll(() => details.getByRole("status").textContent())
        .toBe("The user is erased. 1 session has ended.");
      await dashboard.expectUsers("alice", "carol");
      await expect.poll(() => details.textContent()).toContain("Last seennever");
      const { json } = await gateway.http("GET", "/v1/test-app/users/bob/status");
      expect(json).toEqual({ data: { availability: "available" } });
    });
  });

  it("are readable in dark mode and on a phone", async () => {
    for (const options of [{ colorScheme: "dark" }, { viewport: { width: 360, height: 740 } }] as const) {
      const dashboard = await DashboardPage.open(browser, gateway, "", options);
      const { page } = dashboard;
      await dashboard.expectUsers("alice", "bob", "carol");
      expect(await dashboard.row("bob").locator(".cell.status").isVisible()).toBe(true);
      await dashboard.row("bob").click({ position: { x: 150, y: 4 } });
      await dashboard.details.getByRole("button", { name: "Set status…" }).click();
      expect(await dashboard.accessibilityProblems()).toEqual([]);
      expect(
        await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
      ).toBe(true);
    }
  });
});
