import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { PresenceClient, Session } from "../../src/client/types.ts";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardPage } from "../support/dashboard.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { type ServedPage, servePage } from "../support/serve-page.ts";
import { TRANSPORTS } from "../support/transports.ts";

declare const presence: PresenceClient;
declare const session: Session;

for (const transport of TRANSPORTS) {
  describeInBrowser(`two people and a dashboard over ${transport}`, (browser) => {
    let gateway: TestGateway;
    let site: ServedPage;

    beforeEach(async () => {
      // Long enough for a page to load on a busy machine.
      gateway = await TestGateway.start(transport, { env: { RESUME_WINDOW_MS: "12000" } });
      site = await servePage("chat.ts");
    });
    afterEach(async () => {
      await gateway.stop();
      await site.stop();
    });

    const chat = async (userId: string): Promise<Page> => {
      const token = await gateway.token({
        tokenType: "user",
        sub: userId,
        read: { conversationIds: ["c1"] },
      });
      const context = await browser.newContext();
      const config = { url: gateway.url, appId: APP, token };
      await context.addInitScript((value) => Object.assign(globalThis, { config: value }), config);
      return await browser.open(site.url, context);
    };

    it("each client sees the actions of the others, and the causes of their leaves", async () => {
      const dashboard = await DashboardPage.open(browser, gateway, "conversation=c1");
      // Users of the first snapshot enter no list of changes.
      await dashboard.expectStatus("Live");
      const alice = await chat("alice");
      await dashboard.expectUsers("alice");
      const bob = await chat("bob");
      await dashboard.expectUsers("alice", "bob");
      await alice.locator("input").pressSequentially("hello");
      await expect.poll(() => bob.textContent("p")).toBe("alice is typing");
      await expect.poll(() => dashboard.row("alice").textContent()).toContain("typing");
      await alice.evaluate(() => session.stopTyping());
      await expect.poll(() => bob.textContent("p")).toBe("");
      await expect.poll(() => dashboard.row("alice").textContent()).not.toContain("typing");

      // A page change causes nothing. Another conversation, a closed page and a lost page cause changes.
      await alice.goto(`${site.url}/another`);
      await expect.poll(() => alice.evaluate(() => session.state)).toBe("open");
      await alice.evaluate(() => session.select("c2"));
      await dashboard.expectUsers("bob");
      await alice.evaluate(() => session.select("c1"));
      await dashboard.expectUsers("alice", "bob");
      await alice.evaluate(() => presence.close());
      await dashboard.expectUsers("bob");
      await bob.close();
      // After the window in which bob could have returned.
      await expect.poll(() => dashboard.users()).toEqual([]);
      const feed = () =>
        dashboard.page
          .locator(".activity li")
          .evaluateAll((items) =>
            (items as unknown as { innerText: string }[]).map(({ innerText }) =>
              innerText.replace(/^[\d:.\sAPM]+/, "").replace(/\s+/g, " "),
            ),
          );
      await expect
        .poll(feed)
        .toEqual([
          "bob left: connection lost",
          "alice left: closed the page",
          "alice entered",
          "alice left: no longer matches",
          "bob entered",
          "alice entered",
        ]);
    });
  });
}
