import type { CDPSession } from "playwright-core";
import { expect } from "vitest";
import type { TestBrowser } from "./browser.ts";
import { DashboardPage } from "./dashboard.ts";
import { TestGateway } from "./gateway.ts";
import { LivelyUsers } from "./lively-users.ts";
import { until } from "./until.ts";

const FRAME = "new Promise((resolve) => requestAnimationFrame(() => resolve()))";
const CHANGES = 10;
/** As many entries as the dashboard shows. */
const ACTIVITY_LOG_LENGTH = 200;

/** What a page has, also if nothing shows it, after all garbage was collected. */
export interface PageObjects {
  readonly nodes: number;
  readonly listeners: number;
}

/** The dashboard beside lively users, and what it keeps in memory. */
export class DashboardMemory {
  readonly dashboard: DashboardPage;
  readonly #gateway: TestGateway;
  readonly #users: LivelyUsers;
  readonly #count: number;
  readonly #cdp: CDPSession;

  private constructor(
    gateway: TestGateway,
    users: LivelyUsers,
    count: number,
    page: DashboardPage,
    cdp: CDPSession,
  ) {
    this.#gateway = gateway;
    this.#users = users;
    this.dashboard = page;
    this.#count = count;
    this.#cdp = cdp;
  }

  static async open(
    browser: TestBrowser,
    count: number,
    env: Record<string, string> = {},
  ): Promise<DashboardMemory> {
    const gateway = await TestGateway.start("ws", { env, app: { lastSeen: true } });
    const users = new LivelyUsers(gateway, count);
    const dashboard = await DashboardPage.open(browser, gateway);
    // What is measured begins with a page that follows every change.
    await dashboard.expectStatus("Live");
    await expect.poll(() => dashboard.grid.getAttribute("aria-rowcount")).toBe(String(count + 1));
    const cdp = await dashboard.page.context().newCDPSession(dashboard.page);
    return new DashboardMemory(gateway, users, count, dashboard, cdp);
  }

  /** Some users change. Returns how many changes that were. */
  change(): number {
    this.#users.act(CHANGES);
    return CHANGES;
  }

  /** The users change, and the page shows it, this many times. */
  async live(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      this.change();
      await this.dashboard.page.evaluate(FRAME);
    }
  }

  /** The heap of JavaScript, while the users are as they are: some of what was shown is still shown. */
  async heapBytes(): Promise<number> {
    await this.#collect();
    return (await this.#cdp.send("Runtime.getHeapUsage")).usedSize;
  }

  /** What the page has while the users are as they are. */
  async objects(): Promise<PageObjects> {
    await this.#collect();
    const { nodes, jsEventListeners } = await this.#cdp.send("Memory.getDOMCounters");
    return { nodes, listeners: jsEventListeners };
  }

  /** Lets the page show one certain state, and says what it has then. */
  async settled(): Promise<PageObjects> {
    await this.#settle();
    return await this.objects();
  }

  /** In the state that was settled before, the page has as much as then. */
  async expectSettled(before: PageObjects): Promise<void> {
    await this.#settle();
    // What was just replaced may be held by a frame that is not over.
    await expect.poll(() => this.objects()).toEqual(before);
  }

  stop(): Promise<void> {
    return this.#gateway.stop();
  }

  async #settle(): Promise<void> {
    this.#users.settle();
    const { page, grid } = this.dashboard;
    await until(
      async () =>
        (await grid.getAttribute("aria-rowcount")) === String(this.#count + 1) &&
        (await page.locator(".activity-list li.entered").count()) === ACTIVITY_LOG_LENGTH &&
        (await page.locator(".grid-row .badge:not(.visible)").count()) === 0 &&
        (await page.locator(".node dd").count()) > 0,
    );
  }

  async #collect(): Promise<void> {
    // One collection frees what holds the wrappers of nodes, another one the nodes.
    for (let i = 0; i < 3; i++) await this.#cdp.send("HeapProfiler.collectGarbage");
  }
}
