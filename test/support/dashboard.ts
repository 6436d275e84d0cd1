import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { NEW_SESSION } from "../../src/core/sessions/session.ts";
import type { TestBrowser } from "./browser.ts";
import type { TestClient } from "./client.ts";
import { APP, TestGateway } from "./gateway.ts";

/** The members of DOM elements that tests use. Tests compile without the types of the DOM. */
export interface PageElement {
  readonly tagName: string;
  readonly textContent: string;
  readonly ariaRowIndex: string | null;
  readonly scrollHeight: number;
  querySelector(selector: string): PageElement | null;
  scrollTo(x: number, y: number): void;
}

/** The dashboard in a page, with helpers for tests. */
export class DashboardPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** The dashboard in a page that is open already. */
  static of(page: Page): DashboardPage {
    return new DashboardPage(page);
  }

  /** Opens the dashboard at a fragment. The address contains the token, as in development mode. */
  static async open(
    browser: TestBrowser,
    gateway: TestGateway,
    fragment = "",
    options: BrowserContextOptions = {},
  ): Promise<DashboardPage> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    return await DashboardPage.openIn(browser, gateway, context, fragment);
  }

  static async openIn(
    browser: TestBrowser,
    gateway: TestGateway,
    context: BrowserContext,
    fragment = "",
    appId = APP,
  ): Promise<DashboardPage> {
    const token = await gateway.token({ tokenType: "app" }, undefined, appId);
    const rest = fragment === "" ? "" : `&${fragment}`;
    return new DashboardPage(await browser.open(`${gateway.url}/dashboard/#token=${token}${rest}`, context));
  }

  get grid(): Locator {
    return this.page.getByRole("grid", { name: "Users" });
  }

  get rows(): Locator {
    return this.page.locator(".grid-body [role=row]");
  }

  get details(): Locator {
    return this.page.locator(".details");
  }

  row(userId: string): Locator {
    return this.rows.filter({ has: this.page.locator(".cell.user", { hasText: new RegExp(`^${userId}$`) }) });
  }

  /** Texts of the rows in the page, from top to bottom. */
  async users(): Promise<string[]> {
    const cells = await this.rows.evaluateAll((rows) =>
      (rows as unknown as PageElement[]).map(
        (row) => [Number(row.ariaRowIndex), row.querySelector(".cell.user")?.textContent ?? ""] as const,
      ),
    );
    return cells.sort(([one], [other]) => one - other).map(([, text]) => text);
  }

  async expectUsers(...users: string[]): Promise<void> {
    await expect.poll(() => this.users()).toEqual(users);
  }

  /** The fragment of the address, without its hash sign. */
  fragment(): string {
    return decodeURIComponent(new URL(this.page.url()).hash.slice(1));
  }

  async expectStatus(text: string | RegExp): Promise<void> {
    await expect.poll(() => this.page.locator(".status-pill").textContent()).toMatch(text);
  }

  /** Chooses an option of a group of radio buttons. */
  async choose(group: string, option: string): Promise<void> {
    await this.page
      .getByRole("group", { name: group })
      .getByRole("radio", { name: option })
      .check({ force: true });
  }

  accessibilityProblems(): Promise<string[]> {
    return accessibilityProblems(this.page);
  }
}

/** Problems found by axe that are serious or worse, one line each. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, help, nodes }) => id + ": " + help + ": " + nodes.map(({ target }) => target).join(" ")))`);
}

const AXE = `${readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")};0`;

/** Opens sessions for alice, bob, carol and dave. Everyone except dave has a visible widget. */
export async function openFourUsers(client: TestClient): Promise<void> {
  await client.open({
    userId: "alice",
    selectedConversationId: "c1",
    hasFocus: true,
    custom: { plan: "gold" },
  });
  await client.open({ userId: "bob", selectedConversationId: "c1", isTyping: true, hasFocus: true });
  await client.open({ userId: "bob", selectedConversationId: "c2" });
  await client.open({ userId: "carol" });
  await client.open({ userId: "dave", kind: "background", selectedConversationId: "c2" });
}

/** A gateway with these four users, and the client that holds their sessions. */
export async function startWithFourUsers(): Promise<{ gateway: TestGateway; client: TestClient }> {
  const gateway = await TestGateway.start("ws", { app: { lastSeen: true } });
  const client = await gateway.connect();
  await openFourUsers(client);
  return { gateway, client };
}

/** Opens a widget for each user, without a socket. The widgets stay until the gateway stops. */
export function populate(
  gateway: TestGateway,
  users: Iterable<string>,
  fields: Partial<typeof NEW_SESSION> = {},
): void {
  const presence = gateway.presence();
  const now = gateway.node.clock.now();
  const connection = { onSessionTaken() {} };
  presence.transact(now, (sessions) => {
    for (const userId of users) sessions.open(userId, "widget", { ...NEW_SESSION, ...fields }, connection);
  });
}
