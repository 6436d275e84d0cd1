import { afterEach, beforeEach, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { DashboardPage, startWithFourUsers } from "../support/dashboard.ts";
import type { TestGateway } from "../support/gateway.ts";

describeInBrowser("the dashboard's details", (browser) => {
  let gateway: TestGateway;
  let client: TestClient;
  const open = (fragment?: string) => DashboardPage.open(browser, gateway, fragment);

  beforeEach(async () => {
    ({ gateway, client } = await startWithFourUsers());
  });
  afterEach(() => gateway.stop());

  it("a name opens details and leaves the filter alone; a conversation is added to the filter", async () => {
    const dashboard = await open();
    await dashboard.row("alice").getByRole("button", { name: "alice" }).click();
    await expect.poll(() => dashboard.details.getByRole("heading").textContent()).toBe("alice");
    await dashboard.expectUsers("alice", "bob", "carol");
    expect(dashboard.fragment()).toBe("");
    await dashboard.row("alice").getByRole("button", { name: "c1" }).click();
    await dashboard.expectUsers("alice", "bob");
    expect(dashboard.fragment()).toBe("conversation=c1");
    await dashboard.row("bob").getByRole("button", { name: "bob" }).click();
    await dashboard.details.getByRole("button", { name: "Show this user only" }).click();
    await dashboard.expectUsers("bob");
    expect(dashboard.fragment()).toBe("conversation=c1&user=bob");
  });

  it("says since when somebody is in the conversation of the filter", async () => {
    const dashboard = await open("conversation=c1");
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob");
    expect(await page.getByRole("columnheader", { name: "In conversation since" }).count()).toBe(1);
    const since = (userId: string) => dashboard.row(userId).locator(".since").textContent();
    const sessionId = await client.open({ userId: "erin", selectedConversationId: "c2" });
    await client.ask({ type: "update", sessionId, selectedConversationId: "c1" });
    await dashboard.expectUsers("alice", "bob", "erin");
    expect(await since("alice")).toMatch(/^before \d\d/);
    expect(await since("erin")).toMatch(/^\d\d:\d\d:\d\d$/);
    await dashboard.row("erin").getByRole("button", { name: "erin" }).click();
    const details = dashboard.details;
    // The page saw erin come into the conversation. Since when erin is online, it has not seen.
    await expect.poll(() => details.textContent()).toMatch(/In it since\d\d:\d\d:\d\d \(\d+ s\)/);
    expect(await details.textContent()).toMatch(/Online sincebefore \d\d:\d\d:\d\d \(over \d+ s\)/);
  });

  it("ends the sessions of a user, after a question", async () => {
    const dashboard = await open();
    const { page, details } = dashboard;
    const focused = () => page.evaluate("document.activeElement.textContent");
    await dashboard.row("bob").getByRole("button", { name: "bob" }).click();
    await details.getByRole("button", { name: "End sessions…" }).click();
    const question = page.getByRole("alertdialog");
    expect(await question.textContent()).toContain("End all sessions of this user?");
    await expect.poll(focused).toBe("Cancel");
    await page.keyboard.press("Escape");
    await expect.poll(() => question.count()).toBe(0);
    await expect.poll(focused).toBe("End sessions…");
    expect(gateway.presence().table.user("bob")?.sessions).toHaveLength(2);
    await details.getByRole("button", { name: "End sessions…" }).click();
    expect(await dashboard.accessibilityProblems()).toEqual([]);
    await question.getByRole("button", { name: "End them" }).click();
    await expect.poll(() => details.getByRole("status").textContent()).toBe("2 sessions have ended.");
    await dashboard.expectUsers("alice", "carol");
    await expect.poll(() => details.textContent()).toContain("has no session now");
  });

  it("shows all sessions of a user beside the table, live", async () => {
    const dashboard = await open("background=yes");
    await dashboard.row("bob").click({ position: { x: 200, y: 4 } });
    const { details } = dashboard;
    await details.waitFor();
    expect(await details.getByRole("heading").textContent()).toBe("bob");
    await expect.poll(() => details.locator(".session").count()).toBe(2);
    const sessionId = await client.open({ userId: "bob", kind: "background", custom: { page: "/a\nb" } });
    await expect.poll(() => details.locator(".session").count()).toBe(3);
    expect(await details.locator(".session").last().textContent()).toContain(`page/a\nb`);
    await client.ask({ type: "close", sessionId });
    await expect.poll(() => details.locator(".session").count()).toBe(2);
    await details.getByRole("button", { name: "c2" }).click();
    await dashboard.expectUsers("bob", "dave");
    await dashboard.page.keyboard.press("Escape");
    await expect.poll(() => details.count()).toBe(0);
  });

  it("shows sessions outside the filter too, live, while they are open", async () => {
    const dashboard = await open("conversation=c1");
    const { details, page } = dashboard;
    await dashboard.expectUsers("alice", "bob");
    expect(gateway.presence().subscriptions).toBe(1);
    await dashboard.row("bob").getByRole("button", { name: "bob" }).click();
    const sessions = details.locator(".session");
    const outside = sessions.filter({ hasText: "outside the filter" });
    await expect.poll(() => sessions.count()).toBe(2);
    expect(await outside.allTextContents()).toEqual([expect.stringContaining("Conversationc2")]);
    await client.open({ userId: "bob", kind: "background" });
    await expect.poll(() => outside.count()).toBe(2);
    const sessionId = await client.open({ userId: "bob", selectedConversationId: "c1" });
    await expect.poll(async () => [await sessions.count(), await outside.count()]).toEqual([4, 2]);
    await client.ask({ type: "update", sessionId, selectedConversationId: "c3" });
    await expect.poll(async () => [await sessions.count(), await outside.count()]).toEqual([4, 3]);
    expect(gateway.presence().subscriptions).toBe(2);

    // With another filter nothing of the user matches.
    await dashboard.choose("Is typing", "No");
    await dashboard.expectUsers("alice");
    await expect.poll(() => details.textContent()).toContain("does not match the filter now");
    await expect.poll(async () => [await sessions.count(), await outside.count()]).toEqual([4, 0]);
    expect(await dashboard.accessibilityProblems()).toEqual([]);

    await page.getByRole("button", { name: "Close details" }).click();
    await expect.poll(() => gateway.presence().subscriptions).toBe(1);
  });

  it("shows one user after the other, with one subscription for the details", async () => {
    const dashboard = await open();
    const { details } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    const headings = () => details.getByRole("heading").allTextContents();
    for (const userId of ["alice", "bob", "carol", "alice"]) {
      await dashboard.row(userId).getByRole("button", { name: userId }).click();
      await expect.poll(headings).toEqual([userId]);
    }
    await expect.poll(() => details.locator(".session").count()).toBe(1);
    await expect.poll(() => gateway.presence().subscriptions).toBe(2);
  });

  it("shows the sessions of a user whom others take for offline", async () => {
    const dashboard = await open();
    const { details } = dashboard;
    await dashboard.row("carol").getByRole("button", { name: "carol" }).click();
    await expect.poll(() => details.locator(".session").count()).toBe(1);
    await client.ask({ type: "status", userId: "carol", availability: "invisible" });
    await dashboard.expectUsers("alice", "bob");
    await expect.poll(() => details.textContent()).toContain("does not match the filter now");
    // The details have a subscription of their own.
    await expect.poll(() => details.textContent()).toContain("invisible");
    expect(await details.locator(".session").count()).toBe(1);
  });
});
