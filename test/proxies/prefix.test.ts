import { execFile } from "node:child_process";
import { request } from "node:http";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { installedProxies, ReverseProxy } from "../programs/reverse-proxy.ts";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardPage, populate } from "../support/dashboard.ts";
import { readEvents } from "../support/events.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";

// One address has other things too, and the gateway is under a path of it: deploy/proxies/nginx-prefix.conf.

const run = promisify(execFile);
const transports = installedProxies().includes("nginx") ? TRANSPORTS : [];

describeInBrowser("nginx with the gateway under /presence", (browser) => {
  async function start(
    transport: (typeof TRANSPORTS)[number],
    onTestFinished: (stop: () => Promise<void>) => void,
  ) {
    const gateway = await TestGateway.start(transport, { env: { TRUST_PROXY: "127.0.0.1" } });
    onTestFinished(() => gateway.stop());
    const proxy = await ReverseProxy.start("nginx", gateway.gateway.port, { file: "nginx-prefix.conf" });
    onTestFinished(() => proxy.stop());
    return { gateway, proxy, url: `http://127.0.0.1:${proxy.port}/presence` };
  }

  it.for(transports)("the dashboard is whole, in front of %s", async (transport, { onTestFinished }) => {
    const { gateway, url } = await start(transport, onTestFinished);
    populate(gateway, ["alice"], { selectedConversationId: "c1" });
    const token = await gateway.token({ tokenType: "app" });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const asked: string[] = [];
    context.on("request", (request) => asked.push(request.url()));
    // Without its slash: the gateway redirects, and the token is still there.
    const page = await browser.open(`${url}/dashboard#token=${token}`, context);
    const dashboard = DashboardPage.of(page);
    await dashboard.expectUsers("alice");
    await dashboard.expectStatus("Live");
    expect(page.url()).toBe(`${url}/dashboard/`);
    // The answers of `stats` and `node` are there.
    await page.locator(".node dd").first().waitFor();
    populate(gateway, ["bob"]);
    await dashboard.expectUsers("alice", "bob");
    await page.evaluate(`location.hash = "conversation=c1"`);
    await dashboard.expectUsers("alice");
    expect(page.url()).toBe(`${url}/dashboard/#conversation=c1`);
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((address) => !address.startsWith(`${url}/`))).toEqual([]);
    // The line that the page shows works as it is.
    const line = await page.locator(".curl-line").textContent();
    expect(line).toContain(`'${url}/v1/${APP}/presences'`);
    const { stdout } = await run("sh", ["-c", line!], { env: { ...process.env, TOKEN: token } });
    expect(Object.keys(JSON.parse(stdout).data)).toEqual(["alice"]);
  });

  it.for(transports)(
    "so are SDK, streams and paths, in front of %s",
    async (transport, { onTestFinished }) => {
      const { gateway, proxy, url } = await start(transport, onTestFinished);
      populate(gateway, ["a/b"]);
      const { client } = new TestSdk(url, await gateway.token({ tokenType: "app" }));
      onTestFinished(() => client.close());
      expect([...(await client.query({})).keys()]).toEqual(["a/b"]);
      const events = await readEvents({ url }, {});
      expect((await events.next()).event).toBe("snapshot");
      events.close();
      const sessions = async (id: string) => {
        const headers = { authorization: `Bearer ${SECRET}` };
        const response = await fetch(`${url}/v1/${APP}/users/${id}/sessions`, { headers });
        return { status: response.status, text: await response.text() };
      };
      expect(JSON.parse((await sessions("a%2Fb")).text)).toHaveLength(1);
      expect(await sessions("a/b")).toMatchObject({ status: 404 });
      // What is not under the path is not for the gateway.
      for (const path of ["/healthz", "/presence", "/x/../presence/healthz", "/presence/../healthz"]) {
        const status = await new Promise((resolve, reject) => {
          request({ host: "127.0.0.1", port: proxy.port, path }, (response) =>
            resolve(response.resume().statusCode),
          )
            .on("error", reject)
            .end();
        });
        expect(status, path).not.toBe(200);
      }
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    },
  );
});
