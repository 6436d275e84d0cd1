import { afterEach, beforeEach, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardPage, type PageElement, populate } from "../support/dashboard.ts";
import { TestGateway } from "../support/gateway.ts";
import { PAYLOADS } from "../support/payloads.ts";

/** Tall enough for one row per payload. */
const TALL = { width: 1280, height: 12_000 };

/** Records what a payload must never cause: foreign elements, attributes that run code, dialogs. */
const TRAP = `
  window.__made = [];
  const ours = new Set(\`
    HTML HEAD META TITLE LINK SCRIPT BODY NOSCRIPT DIV HEADER H1 H2 P SPAN BDI BUTTON SECTION
    FIELDSET LEGEND LABEL INPUT FORM UL LI FIGURE FIGCAPTION CANVAS MAIN SELECT OPTION ASIDE OL TIME
    DL DT DD PRE CODE STRONG SVG TD TABLE
  \`.trim().split(/\\s+/));
  const RUNS = /^(on|src|href|action|formaction|srcdoc)/;
  new MutationObserver((records) => {
    for (const { addedNodes, target, attributeName } of records) {
      for (const node of addedNodes) {
        if (node.nodeType === 1) for (const each of [node, ...node.querySelectorAll("*")]) check(each);
      }
      if (attributeName && RUNS.test(attributeName)) {
        window.__made.push("@" + attributeName + " of " + target.tagName);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
  function check(element) {
    const isPageItself = element.closest("head") !== null;
    if (!ours.has(element.tagName.toUpperCase())) window.__made.push(element.tagName);
    for (const { name } of element.attributes)
      if (RUNS.test(name) && !isPageItself) window.__made.push(name + " of " + element.tagName);
  }
`;

describeInBrowser("texts of users in the dashboard", (browser) => {
  let gateway: TestGateway;
  const dialogs: string[] = [];
  beforeEach(async () => {
    gateway = await TestGateway.start("ws", { app: { lastSeen: true } });
    dialogs.length = 0;
  });
  afterEach(() => gateway.stop());

  async function open(fragment = "", viewport = TALL): Promise<DashboardPage> {
    const context = await browser.newContext({ viewport });
    await context.addInitScript(TRAP);
    context.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    return await DashboardPage.openIn(browser, gateway, context, fragment);
  }

  async function expectNothingRan({ page }: DashboardPage): Promise<void> {
    expect(await page.evaluate("window.__xss")).toBeUndefined();
    expect(await page.evaluate("window.__made")).toEqual([]);
    expect(dialogs).toEqual([]);
    expect(await page.title()).toBe("presence-gateway");
    expect(new URL(page.url()).origin).toBe(gateway.url);
  }

  const textsOf = (dashboard: DashboardPage, selector: string) =>
    dashboard.page.locator(selector).allTextContents();

  it("there are more than two hundred payloads", () => {
    expect(PAYLOADS.length).toBeGreaterThanOrEqual(200);
  });

  it("users: each id is shown unchanged", async () => {
    populate(gateway, PAYLOADS);
    const dashboard = await open();
    await expect.poll(() => dashboard.rows.count()).toBe(PAYLOADS.length);
    expect((await dashboard.users()).sort()).toEqual([...PAYLOADS].sort());
    await expectNothingRan(dashboard);
  });

  it("conversations, names and values of custom fields: each is shown unchanged", async () => {
    PAYLOADS.forEach((payload, i) => {
      const custom = { [payload.slice(0, 64).toWellFormed()]: payload };
      populate(gateway, [`user-${i}`], { selectedConversationId: payload, custom });
    });
    const dashboard = await open();
    await expect.poll(() => dashboard.rows.count()).toBe(PAYLOADS.length);
    expect((await textsOf(dashboard, ".grid-body .cell.conversation")).sort()).toEqual([...PAYLOADS].sort());
    const pairs = PAYLOADS.map((payload) => `${payload.slice(0, 64).toWellFormed()} ${payload}`);
    expect((await textsOf(dashboard, ".grid-body .cell.custom")).sort()).toEqual(pairs.sort());
    await expectNothingRan(dashboard);
  });

  it("in the activity list, for users that enter and leave", async () => {
    const dashboard = await open();
    await dashboard.expectStatus("Live");
    await expect.poll(() => dashboard.page.locator(".notice").textContent()).toContain("Nobody is here");
    populate(gateway, PAYLOADS);
    await expect.poll(() => dashboard.page.locator(".activity-list li").count()).toBe(200);
    const shown = await textsOf(dashboard, ".activity-list .user-text");
    expect(new Set(shown).size).toBe(200);
    for (const text of shown) expect(PAYLOADS).toContain(text);
    const presence = gateway.presence();
    presence.transact(gateway.node.clock.now(), (sessions) => {
      for (const payload of PAYLOADS) sessions.forceEndAll(payload);
    });
    await expect.poll(() => dashboard.rows.count()).toBe(0);
    await expectNothingRan(dashboard);
  });

  it("in the filter, the address, the details, the curl command and the search", async () => {
    const some = PAYLOADS.filter((_, i) => i % 8 === 0);
    for (const payload of some) {
      populate(gateway, [payload], {
        selectedConversationId: payload,
        custom: { [payload.slice(0, 64).toWellFormed()]: payload },
      });
    }
    const dashboard = await open("", { width: 1280, height: 900 });
    const { page } = dashboard;
    await expect.poll(() => dashboard.grid.getAttribute("aria-rowcount")).toBe(String(some.length + 1));
    for (const payload of some) {
      const address = new URLSearchParams([
        ["conversation", payload],
        ["user", payload],
        ["search", payload],
      ]);
      await page.evaluate((hash) => {
        (globalThis as unknown as { location: { hash: string } }).location.hash = hash;
      }, String(address));
      // The search ignores spaces at both ends.
      await expect.poll(() => dashboard.users()).toEqual([payload]);
      expect(await page.getByLabel("Conversation id").inputValue()).toBe(payload);
      expect(await textsOf(dashboard, ".chip .user-text")).toEqual([payload]);
      expect(await page.locator(".curl-line").textContent()).toContain(
        JSON.stringify({ selectedConversationId: payload, userIds: [payload] }).replaceAll("'", `'\\''`),
      );
      await dashboard.rows.first().click({ position: { x: 4, y: 4 } });
      await expect.poll(() => textsOf(dashboard, ".details h2")).toEqual([payload]);
      expect(await textsOf(dashboard, ".details .custom-value")).toEqual([payload]);
    }
    await expectNothingRan(dashboard);
  });

  it("text in a right-to-left script does not affect the text around it", async () => {
    populate(gateway, ["\u202eevil", "plain"], { selectedConversationId: "\u202ec1" });
    const dashboard = await open();
    await expect.poll(() => dashboard.rows.count()).toBe(2);
    const boxes = await dashboard.page
      .locator(".grid-body .cell.user .user-text, .grid-body .cell.conversation .user-text")
      .evaluateAll((elements) =>
        (elements as unknown as PageElement[]).map((element) => {
          const { getComputedStyle } = globalThis as unknown as {
            getComputedStyle(of: unknown): { unicodeBidi: string };
          };
          return [element.tagName, getComputedStyle(element).unicodeBidi];
        }),
      );
    expect(boxes).toHaveLength(4);
    for (const box of boxes) expect(box).toEqual(["BDI", "isolate"]);
  });
});
