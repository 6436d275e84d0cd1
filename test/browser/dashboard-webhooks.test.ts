import { afterEach, beforeEach, expect, it } from "vitest";
import type { WebhookStats } from "../../src/dashboard/model/webhook-state.ts";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardPage } from "../support/dashboard.ts";
import { TestGateway } from "../support/gateway.ts";

const FINE: WebhookStats = {
  id: "copy",
  deliveries: 1_234,
  failures: 0,
  secondsBehind: 0,
  off: false,
  delivering: true,
};

describeInBrowser("webhooks in the dashboard", (browser) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start("ws");
  });
  afterEach(() => gateway.stop());

  it("are shown with what is wrong with them, and an app without any has no panel", async () => {
    const dashboard = await DashboardPage.open(browser, gateway);
    const { page } = dashboard;
    const panel = page.getByRole("region", { name: "Webhooks" });
    await expect.poll(() => page.getByRole("region", { name: "Node" }).textContent()).toContain("Sockets");
    expect(await panel.count()).toBe(0);

    // What the next polls tell, in place of receivers that fail.
    let webhooks: WebhookStats[] = [FINE, { ...FINE, id: "other", failures: 7, secondsBehind: 65 }];
    await page.route("**/stats", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), webhooks } });
    });
    await expect
      .poll(() => panel.locator("dl").allTextContents())
      .toEqual(["copyup to dateDelivered1,234Failed0", "other1 min 5 s behindDelivered1,234Failed7"]);
    expect(await panel.locator(".problem").allTextContents()).toEqual(["1 min 5 s behind"]);
    expect(await dashboard.accessibilityProblems()).toEqual([]);

    webhooks = [{ ...FINE, delivering: false, off: true }];
    await expect
      .poll(() => panel.locator(".problem").allTextContents())
      .toEqual(["switched off: the receiver answered 410"]);
  });
});
