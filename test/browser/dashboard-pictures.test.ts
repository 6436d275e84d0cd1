import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "vitest";
import { NEW_SESSION } from "../../src/core/sessions/session.ts";
import type { SessionPatch, StatusPatch } from "../../src/protocol/wire.ts";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardPage } from "../support/dashboard.ts";
import { TestGateway } from "../support/gateway.ts";
import { unless } from "../support/unless.ts";

// Screenshots of a busy quarter of an hour, for people to look at. To run it: PICTURES=1 npx vitest run
// test/browser/dashboard-pictures.test.ts

const FOLDER = join(tmpdir(), "presence-gateway-dashboard");
const MINUTES = Number(process.env.PICTURES ?? 0) > 1 ? Number(process.env.PICTURES) : 14;
const STEP_MS = 1_000;
const APP_ID = "acme-support";

const FIRST =
  "Amara Bilal Chiara Daniel Elif Farid Greta Hana Ivan Jonas Kenji Lena Mateo Nadia Olu Priya Quinn Rosa Sofia Tomas Uma Viktor Wei Ximena Yara Zoe".split(
    " ",
  );
const LAST =
  "Adeyemi Bauer Costa Dubois Eriksen Fischer Garcia Haddad Ito Jensen Kaya Lopez Moreau Novak Okafor Patel Rossi Silva Tanaka Weber".split(
    " ",
  );
const PAGES = [
  "/orders",
  "/orders/4711",
  "/billing",
  "/pricing",
  "/settings/team",
  "/help/returns",
  "/checkout",
];
/** Of every 20 users, the first ones have these. */
const STATUSES: readonly StatusPatch[] = [
  { availability: "busy", emoji: "🎧", text: "In a meeting" },
  { availability: "away", text: "Lunch" },
  { availability: "dnd" },
  { emoji: "🌴", text: "Back on Monday" },
];
const PLANS = ["free", "team", "business"];

const pictures = unless(process.env.PICTURES === undefined ? "PICTURES=1 takes them" : undefined, describe);
pictures("pictures", () => {
  describeInBrowser("of the dashboard", (browser) => {
    let gateway: TestGateway;
    beforeEach(async () => {
      gateway = await TestGateway.start("ws", {
        app: { id: APP_ID, lastSeen: true },
        env: { DIFF_INTERVAL_MS: "0" },
      });
      mkdirSync(FOLDER, { recursive: true });
    });
    afterEach(() => gateway.stop());

    it("in light mode, in dark mode and on a phone", async () => {
      // If time ran faster than the network, requests would time out.
      browser.allow(/ERR_ABORTED/);
      const crowd = new Crowd(gateway);
      for (let i = 0; i < 140; i++) crowd.enter();
      const wide = { width: 1440, height: 900 };
      const contexts = {
        light: { viewport: wide },
        dark: { viewport: wide, colorScheme: "dark" },
        conversations: { viewport: wide },
        phone: { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2 },
      } as const;
      const pages: [string, DashboardPage][] = [];
      for (const [name, options] of Object.entries(contexts)) {
        const context = await browser.newContext(options);
        await context.clock.install({ time: Date.now() - MINUTES * 60_000 });
        const fragment = name === "conversations" ? "view=conversations" : "background=yes";
        pages.push([name, await DashboardPage.openIn(browser, gateway, context, fragment, APP_ID)]);
      }
      const picture = ({ page }: DashboardPage, name: string, fullPage = false) =>
        page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage });
      for (let ms = 0; ms < MINUTES * 60_000; ms += STEP_MS) {
        crowd.act(3 + Math.round(2 * Math.sin(ms / 90_000)));
        await sleep(20);
        await Promise.all(pages.map(([, { page }]) => page.clock.runFor(STEP_MS)));
      }
      for (const [name, dashboard] of pages) {
        const { page } = dashboard;
        await page.clock.resume();
        crowd.act(4);
        await sleep(400);
        if (name === "dark") await dashboard.rows.nth(8).click({ position: { x: 480, y: 4 } });
        await sleep(300);
        await picture(dashboard, name);
        if (name === "dark") {
          await page.getByRole("button", { name: "End sessions…" }).click();
          await picture(dashboard, "question");
        }
        if (name === "phone") {
          await page.getByRole("button", { name: "Filter: 1 set" }).click();
          await page.getByRole("button", { name: "Charts" }).click();
          await sleep(300);
          await picture(dashboard, "phone-whole", true);
          await dashboard.choose("Rows", "Conversations");
          await sleep(300);
          await picture(dashboard, "phone-conversations", true);
        }
        if (name === "light") {
          await page.getByLabel("Only these users").fill((await dashboard.users())[0]!);
          await page.getByLabel("Only these users").press("Enter");
          await page.getByRole("button", { name: "Pause" }).click();
          await sleep(2_000);
          await picture(dashboard, "filter-changed");
        }
      }
      process.stdout.write(`pictures are in ${FOLDER}\n`);
    }, 300_000);
  });
});

/** Users that enter, read, type and leave, without sockets. */
class Crowd {
  readonly #gateway: TestGateway;
  readonly #here: string[] = [];
  #made = 0;

  constructor(gateway: TestGateway) {
    this.#gateway = gateway;
  }

  enter(): void {
    const n = this.#made++;
    const userId = `${FIRST[(n * 7) % FIRST.length]!.toLowerCase()}.${LAST[(n * 3 + Math.floor(n / 26)) % LAST.length]!.toLowerCase()}`;
    const custom = { page: pick(PAGES), plan: pick(PLANS) };
    this.#open(userId, "background", { custom });
    if (Math.random() < 0.8) this.#open(userId, "widget", { custom, ...activity() });
    if (Math.random() < 0.1) this.#open(userId, "widget", { custom, selectedConversationId: conversation() });
    if (!this.#here.includes(userId)) this.#here.push(userId);
    const status = STATUSES[n % 20];
    if (status === undefined) return;
    const presence = this.#gateway.presence(APP_ID);
    presence.transact(this.#gateway.node.clock.now(), ({ profiles }) =>
      profiles.replaceStatus(userId, status),
    );
  }

  act(times: number): void {
    const presence = this.#gateway.presence(APP_ID);
    const now = this.#gateway.node.clock.now();
    presence.transact(now, (sessions) => {
      for (let i = 0; i < times; i++) {
        const dice = Math.random();
        if (dice < 0.16 + (170 - this.#here.length) / 400) this.enter();
        else if (dice < 0.3) {
          const [userId] = this.#here.splice(Math.floor(Math.random() * this.#here.length), 1);
          for (const session of [...(presence.table.user(userId!)?.sessions ?? [])]) {
            sessions.end(session, Math.random() < 0.7 ? "closed" : "timeout");
          }
        } else {
          const widget = presence.table
            .user(pick(this.#here))
            ?.sessions.find(({ kind }) => kind === "widget");
          if (widget !== undefined) sessions.update(widget, activity());
        }
      }
    });
  }

  #open(userId: string, kind: "background" | "widget", fields: SessionPatch): void {
    const now = this.#gateway.node.clock.now();
    this.#gateway
      .presence(APP_ID)
      .transact(now, (sessions) =>
        sessions.open(userId, kind, { ...NEW_SESSION, ...fields }, { onSessionTaken() {} }),
      );
  }
}

function activity(): SessionPatch {
  const hasFocus = Math.random() < 0.6;
  return {
    hasFocus,
    isTyping: hasFocus && Math.random() < 0.35,
    selectedConversationId: Math.random() < 0.85 ? conversation() : null,
  };
}

function conversation(): string {
  return `${pick(["order", "ticket", "return"])}-${4700 + Math.floor(Math.random() * 40)}`;
}

function pick<Item>(list: readonly Item[]): Item {
  return list[Math.floor(Math.random() * list.length)]!;
}
