import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { TcpProxy } from "../support/proxy.ts";

const PAGE = readFileSync(join(PROJECT, "examples/avatar-stack.html"));
const FACES = ["alice", "bob", "carol"];

describeInBrowser("examples/avatar-stack.html", (browser) => {
  let gateway: TestGateway;
  let site: Server;
  let users: TestClient;
  let proxy: TcpProxy;
  beforeEach(async () => {
    gateway = await TestGateway.start("ws", { env: { DIFF_INTERVAL_MS: "0" } });
    proxy = await TcpProxy.start(gateway.gateway.port);
    users = await gateway.connect();
    const read = { userIds: FACES, counts: true };
    const config = {
      url: `ws://127.0.0.1:${proxy.port}`,
      appId: APP,
      token: await gateway.token({ tokenType: "user", sub: "alice", read }),
      conversationId: "c1",
      faces: FACES,
    };
    site = createServer((request, response) => {
      if (request.url === "/presence") response.end(JSON.stringify(config));
      else response.setHeader("content-type", "text/html").end(PAGE);
    }).listen(0, "127.0.0.1");
    await once(site, "listening");
  });
  afterEach(async () => {
    site.close();
    site.closeAllConnections();
    await proxy.stop();
    await gateway.stop();
  });

  const enter = (userId: string) => users.open({ userId, selectedConversationId: "c1" });
  const shown = (page: Page) => page.locator("#stack").innerText();

  /** The page, and the types of the messages that it has received. */
  async function open(): Promise<{ page: Page; received: string[] }> {
    const received: string[] = [];
    const page = await browser.open();
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => received.push(JSON.parse(String(payload)).type)),
    );
    // The page waits for a second before it connects again, and a random time.
    await page.addInitScript("Math.random = () => 0");
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    return { page, received };
  }

  it("shows the faces that are here, and how many others", async () => {
    const bob = await enter("bob");
    for (let i = 0; i < 1_200; i++) await enter(`stranger-${i}`);
    const { page, received } = await open();
    await expect.poll(() => shown(page)).toMatch(/^BO\s*\+1,200$/);
    const carol = await enter("carol");
    await expect.poll(() => shown(page)).toMatch(/^BO\s*CA\s*\+1,200$/);

    // Typing brings the page no message; what comes next is about the user who leaves.
    const before = received.length;
    await users.ask({ type: "update", sessionId: carol, isTyping: true });
    await users.ask({ type: "close", sessionId: bob });
    await expect.poll(() => shown(page)).toMatch(/^CA\s*\+1,200$/);
    await expect.poll(() => received.slice(before).sort()).toEqual(["count", "diff"]);
  });

  it("is complete again after the connection was lost", async () => {
    await enter("bob");
    const { page } = await open();
    await expect.poll(() => shown(page)).toMatch(/^BO$/);
    proxy.cut();
    await enter("carol");
    await enter("stranger");
    await expect.poll(() => shown(page)).toMatch(/^BO\s*CA\s*\+1$/);
  });
});
