import { expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardMemory } from "../support/dashboard-memory.ts";

const WARM_UP = 60;
const ROUNDS = 120;
/** The activity list once kept every earlier one: then these rounds cost 12 MB. */
const NOISE_BYTES = 2e6;

describeInBrowser("the dashboard's memory", (browser) => {
  it("beside 1,000 lively users it keeps nothing of what it showed before", async ({ onTestFinished }) => {
    const memory = await DashboardMemory.open(browser, 1_000, { DIFF_INTERVAL_MS: "0" });
    onTestFinished(() => memory.stop());
    await memory.live(WARM_UP);
    const before = await memory.heapBytes();
    const shown = await memory.settled();

    await memory.live(ROUNDS);
    expect((await memory.heapBytes()) - before).toBeLessThan(NOISE_BYTES);
    await memory.expectSettled(shown);
  });

  it("changes of the filter, and details that were opened and closed, leave nothing behind", async ({
    onTestFinished,
  }) => {
    const memory = await DashboardMemory.open(browser, 1_000, { DIFF_INTERVAL_MS: "0" });
    onTestFinished(() => memory.stop());
    const { page } = memory.dashboard;
    const visit = async (times: number) => {
      for (let i = 0; i < times; i++) {
        for (const fragment of ["focus=yes&sort=status", "conversation=c1&search=user-0", ""]) {
          await page.evaluate(`location.hash = ${JSON.stringify(fragment)}`);
          await memory.live(1);
        }
        await memory.live(2);
        await page.evaluate(`document.querySelector(".activity-list button")?.click()`);
        await memory.live(1);
        await page.evaluate(`document.querySelector("[aria-label='Close details']")?.click()`);
      }
    };
    await visit(10);
    const before = await memory.heapBytes();

    await visit(20);
    expect((await memory.heapBytes()) - before).toBeLessThan(NOISE_BYTES);
    // Some that were shown last are still held. Twenty times that would be more.
    const shown = (await page.evaluate("document.querySelectorAll('*').length")) as number;
    expect((await memory.objects()).nodes).toBeLessThan(5 * shown);
  });
});
