import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

/** A host name of an attacker that resolves to this machine, as in DNS rebinding. */
const REBOUND = "evil.example";

for (const transport of TRANSPORTS) {
  describeInBrowser(
    `a foreign page beside a gateway over ${transport}`,
    (browser) => {
      let gateway: TestGateway;
      let site: Server;
      let url: string;

      beforeAll(async () => {
        gateway = await TestGateway.start(transport);
        const client = await gateway.connect("alice");
        await client.open({});
        const html = '<!doctype html><title>foreign</title><link rel="icon" href="data:,">';
        site = createServer((_request, response) =>
          response.setHeader("content-type", "text/html").end(html),
        );
        await once(site.listen(0, "127.0.0.1"), "listening");
        url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
      });
      afterAll(async () => {
        site.close();
        site.closeAllConnections();
        await gateway.stop();
      });

      /** What a script in a page gets from a request: its text, or that access was denied. */
      const script = (target: string, init: object) => `
        fetch(${JSON.stringify(target)}, ${JSON.stringify(init)}).then(
          async (response) => response.type + " " + response.status + " " + (await response.text()).slice(0, 200),
          () => "kept from it",
        )`;

      it("cannot read any response, with or without a token", async () => {
        browser.allow(/./);
        const page = await browser.open(url);
        const get = (path: string, init: object = {}) =>
          page.evaluate<string>(script(`${gateway.url}${path}`, init));
        const headers = { authorization: `Bearer ${SECRET}` };
        for (const path of ["/metrics", "/healthz", "/openapi.json", "/dashboard/", `/v1/${APP}/stats`]) {
          expect(await get(path)).toBe("kept from it");
          expect(await get(path, { headers })).toBe("kept from it");
          expect(await get(path, { credentials: "include" })).toBe("kept from it");
          // The browser may send the request, but the page cannot read the response. Resources for our own
          // pages do not load at all.
          expect(["opaque 0 ", "kept from it"]).toContain(await get(path, { mode: "no-cors" }));
        }
      });

      it("cannot change anything with requests that need no permission", async () => {
        browser.allow(/./);
        const page = await browser.open(url);
        const before = await gateway.query();
        for (const init of [
          { method: "POST", body: "{}", mode: "no-cors" },
          { method: "POST", body: "{}", mode: "no-cors", credentials: "include" },
          { method: "DELETE" },
          { method: "DELETE", headers: { authorization: `Bearer ${SECRET}` } },
        ]) {
          const target = `${gateway.url}/v1/${APP}/users/alice/sessions`;
          expect(["opaque 0 ", "kept from it"]).toContain(await page.evaluate<string>(script(target, init)));
        }
        expect(Object.keys(before)).toEqual(["alice"]);
        expect(await gateway.query()).toEqual(before);
      });

      it("cannot open a stream with an EventSource, which sends no credentials", async () => {
        browser.allow(/./);
        const page = await browser.open(`${gateway.url}/healthz`);
        const target = `${gateway.url}/v1/${APP}/presences/stream`;
        const state = page.evaluate(`new Promise((resolve) => {
          const source = new EventSource(${JSON.stringify(target)});
          source.onopen = () => resolve("open");
          source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? "closed" : "tries again");
        })`);
        expect(await state).toBe("closed");
      });

      it("cannot show the dashboard in a frame", async () => {
        browser.allow(/./);
        const page = await browser.open(url);
        await page.evaluate(`new Promise((resolve) => {
          const frame = document.createElement("iframe");
          frame.src = ${JSON.stringify(`${gateway.url}/dashboard/`)};
          frame.onload = resolve;
          document.body.append(frame);
        })`);
        const frame = page.frames().find((each) => each !== page.mainFrame())!;
        expect(frame.url()).toMatch(/^chrome-error:/);
      });

      it("with a host name that resolves to this machine gets only public responses, and no metrics", async () => {
        browser.allow(/./);
        const page = await browser.open(`http://${REBOUND}:${gateway.gateway.port}/healthz`);
        const get = (path: string) => page.evaluate<string>(script(path, {}));
        expect(await get("/healthz")).toMatch(/^basic 200/);
        expect(await get("/metrics")).toMatch(/^basic 401 .*UNAUTHORIZED/);
        expect(await get(`/v1/${APP}/stats`)).toMatch(/^basic 401/);
        expect(await get(`/v1/${APP}/presences/stream`)).toMatch(/^basic 401/);
      });
    },
    { args: [`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`] },
  );
}
