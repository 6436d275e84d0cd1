import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { PATIENCE_MS } from "./until.ts";

/** A browser that draws pages without windows. A page takes a quarter of the time. */
const SHELL = "/usr/bin/chromium-headless-shell";
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const OWN_HOSTS = ["127.0.0.1", "localhost"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A request to another host is reported as a problem and blocked.
  `--host-resolver-rules=MAP * ~NOTFOUND${OWN_HOSTS.map((host) => `, EXCLUDE ${host}`).join("")}`,
];

export interface BrowserOptions extends LaunchOptions {
  /**
   * The suite needs real windows. Without windows every page has the focus, and no page enters the
   * back/forward cache.
   */
  readonly hasWindows?: boolean;
}

/** Path of the browser, or the reason why there is none and whether that is acceptable. */
function findChromium(
  { hasWindows = false }: BrowserOptions,
  env: NodeJS.ProcessEnv = process.env,
): { readonly path: string } | { readonly why: string; readonly isFine: boolean } {
  if (env.BROWSER_TESTS === "off") return { why: "BROWSER_TESTS=off", isFine: true };
  const places = env.CHROMIUM ? [env.CHROMIUM] : hasWindows ? PLACES : [SHELL, ...PLACES];
  const path = places.find((place) => existsSync(place));
  if (path !== undefined) return { path };
  const why = `no Chromium at ${places.join(", ")}: install it, or set CHROMIUM to its path`;
  return { why, isFine: !env.CHROMIUM && !env.CI };
}

/** The browser of one test. Each test starts without pages, storage and problems. */
export class TestBrowser {
  /**
   * Errors and forbidden actions of pages in this test. At the end of the test only allowed ones may remain.
   */
  readonly problems: string[] = [];
  readonly #allowed: RegExp[] = [];
  readonly #contexts: BrowserContext[] = [];
  readonly #options: LaunchOptions;
  #browser: Browser | undefined;

  constructor({ hasWindows: _, ...options }: BrowserOptions) {
    this.#options = options;
  }

  /**
   * Opens a page at an address in a new context. With `first`, it is another tab in the context of that page.
   */
  async open(url = "about:blank", context?: BrowserContext): Promise<Page> {
    const page = await (context ?? (await this.newContext())).newPage();
    await page.goto(url);
    return page;
  }

  /** The settings of a person that uses this browser for the first time. */
  async newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    // Without windows the browser takes the language of the environment, which may be unset.
    const context = await this.#browser!.newContext({ locale: "en-US", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    this.#contexts.push(context);
    this.#watch(context);
    return context;
  }

  /** Allows problems that match in this test. They need not occur. */
  allow(...problems: RegExp[]): void {
    this.#allowed.push(...problems);
  }

  /** @internal */
  async launch(executablePath: string): Promise<void> {
    const args = [...FLAGS, ...(this.#options.args ?? [])];
    this.#browser = await chromium.launch({
      headless: true,
      timeout: PATIENCE_MS,
      ...this.#options,
      executablePath,
      args,
    });
  }

  /** @internal */
  async close(): Promise<void> {
    await this.#browser?.close();
  }

  /**
   * Takes pictures if the test failed or will fail, resets everything, and throws if there were problems.
   * @internal
   */
  async endTest(name: string, hasFailed: boolean): Promise<void> {
    const pages = this.#contexts.flatMap((context) => context.pages());
    // A reply arrives after all earlier messages of the page. A page that hangs does not reply.
    await Promise.all(pages.map((page) => Promise.race([page.evaluate("0").catch(() => {}), after(2_000)])));
    const allowed = this.#allowed.splice(0);
    const problems = this.problems.splice(0).filter((text) => !allowed.some((pattern) => pattern.test(text)));
    if (hasFailed || problems.length > 0) await takePictures(name, pages);
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
    // Problems caused by closing the pages do not count.
    this.problems.length = 0;
    if (problems.length > 0) throw new Error(`the page had problems:\n${problems.join("\n")}`);
  }

  #watch(context: BrowserContext): void {
    const report = (text: string) => void this.problems.push(text);
    const reportForeign = (url: string) => {
      const { protocol, hostname } = new URL(url);
      if (/^(?:http|ws)s?:$/.test(protocol) && !OWN_HOSTS.includes(hostname)) report(`request to ${url}`);
    };
    context.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "assert") return;
      const { url, lineNumber } = message.location();
      report(`console: ${message.text()} (${url}:${lineNumber})`);
    });
    context.on("weberror", (webError) => {
      const error = webError.error();
      report(`page error: ${error.stack ?? error}`);
    });
    context.on("request", (request) => reportForeign(request.url()));
    context.on("requestfailed", (request) => {
      report(`failed: ${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
    });
    context.on("page", (page) => {
      page.on("crash", () => report("the page crashed"));
      page.on("websocket", (socket) => reportForeign(socket.url()));
    });
  }
}

/**
 * A suite whose tests share one browser. After each test its pages must have had no problems. That check runs
 * before the `afterEach` of the suite, which stops the servers of the pages.
 */
export function describeInBrowser(
  name: string,
  suite: (browser: TestBrowser) => void,
  options: BrowserOptions = {},
): void {
  const browser = new TestBrowser(options);
  const found = findChromium(options);
  if (!("path" in found)) {
    if (found.isFine) {
      process.stdout.write(`not tested in a browser: ${name} (${found.why})\n`);
      describe.skip(name, () => suite(browser));
    } else {
      describe(name, () => {
        it("has a browser", () => {
          throw new Error(found.why);
        });
      });
    }
    return;
  }
  describe(name, () => {
    beforeAll(() => browser.launch(found.path));
    afterAll(() => browser.close());
    suite(browser);
    // Registered last, so it runs first.
    afterEach(({ task }) => browser.endTest(task.name, task.result?.state === "fail"));
  });
}

let pictures: string | undefined;

async function takePictures(name: string, pages: readonly Page[]): Promise<void> {
  if (pictures === undefined) {
    const parent = join(tmpdir(), "presence-gateway-pictures");
    mkdirSync(parent, { recursive: true });
    pictures = mkdtempSync(join(parent, "run-"));
  }
  const slug = name.replaceAll(/\W+/g, "-").slice(0, 80);
  for (const [index, page] of pages.entries()) {
    const path = join(pictures, `${slug}-${index + 1}.png`);
    try {
      await page.screenshot({ path, timeout: 2_000 });
      process.stderr.write(`${name}: what the page showed: ${path}\n`);
    } catch {
      // The page hangs, crashed or was closed, so there is nothing to show.
    }
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
