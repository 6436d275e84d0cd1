import { afterEach, beforeEach, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { FakeServer } from "../support/fake-server.ts";
import { type ServedPage, servePage } from "../support/serve-page.ts";

declare const sdk: typeof import("../../src/client/index.ts");

describeInBrowser("the browser for tests", (browser) => {
  let site: ServedPage;
  let server: FakeServer;
  beforeEach(async () => {
    site = await servePage("sdk.ts");
    server = await FakeServer.start();
  });
  afterEach(async () => {
    await site.stop();
    await server.stop();
  });

  it("runs the built package in a page", async () => {
    const page = await browser.open(`${site.url}/some/path`);
    const message = await page.evaluate(() => new sdk.PresenceError("TIMEOUT", "too late").message);
    expect(message).toBe("too late");
    expect(site.requests).toEqual(["/some/path", "/page.js"]);
  });

  it("reaches a server by WebSocket", async () => {
    const page = await browser.open(site.url);
    const url = `${server.url.replace("http", "ws")}/v1/test-app/realtime`;
    const answer = await page.evaluate(
      `new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(url)}, "presence.v1");
        socket.onopen = () => socket.send('{"type":"ping"}');
        socket.onmessage = ({ data }) => resolve(data);
      })`,
    );
    expect(answer).toBe('{"type":"pong"}');
    expect(server.connections[0]!.request.headers.origin).toBe(site.url);
  });

  it("gives each person their own storage, shared by their tabs", async () => {
    const alice = await browser.open(site.url);
    await alice.evaluate("localStorage.setItem('who', 'alice')");
    const tab = await browser.open(site.url, alice.context());
    expect(await tab.evaluate("localStorage.getItem('who')")).toBe("alice");
    const bob = await browser.open(site.url);
    expect(await bob.evaluate("localStorage.getItem('who')")).toBeNull();
  });

  it("detects problems in a page", async () => {
    browser.allow(/./);
    const page = await browser.open(site.url);
    await page.evaluate(`
      console.error("a complaint");
      setTimeout(() => { throw new Error("a defect"); });
      fetch("/missing.png").catch(() => {});
      new WebSocket("ws://presence.example/");
      fetch("https://presence.example/").catch(() => {});
    `);
    const patterns = [
      /^console: a complaint/,
      /^page error: Error: a defect/,
      /^console: .*404.*missing\.png/,
      /^request to ws:\/\/presence\.example/,
      /^request to https:\/\/presence\.example/,
      /^failed: GET https:\/\/presence\.example\/: net::ERR_NAME_NOT_RESOLVED/,
    ];
    for (const pattern of patterns) {
      await expect.poll(() => browser.problems).toContainEqual(expect.stringMatching(pattern));
    }
  });

  it("does not carry problems from one test to the next", async () => {
    await browser.open(site.url);
    expect(browser.problems).toEqual([]);
  });
});
