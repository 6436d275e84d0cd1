import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { installedProxies, ReverseProxy, whyNoProxy } from "../programs/reverse-proxy.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TcpProxy } from "../support/proxy.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";

// A proxy that sends a POST over a connection which the gateway is just ending gets no answer, and answers
// 502. So the configurations in deploy/proxies let go of an idle connection before the gateway does.

const PAIRS = installedProxies().flatMap((proxy) =>
  TRANSPORTS.map((transport) => [proxy, transport] as const),
);

/** From proxy to gateway, and back. An end is on its way for so long, and a POST that crosses it is lost. */
const DELAY_MS = 500;
/**
 * A connection that becomes idle at 0 is tried after these times, in POSTs at once. The gateway ends it after
 * 8 to 12 s, and ever less than twice the delay lies between two times: one of them meets the end. A POST may
 * go over a connection that was used meanwhile, so each time there are more of them than all before together.
 */
const TRIES = [
  { afterMs: 6_800, posts: 1 },
  { afterMs: 7_700, posts: 2 },
  { afterMs: 8_600, posts: 4 },
  { afterMs: 9_500, posts: 8 },
  { afterMs: 10_400, posts: 16 },
  { afterMs: 11_300, posts: 32 },
] as const;
/** nginx ends an idle connection after 5 s, and what it sends until then may be under way for a while. */
const MIN_IDLE_MS = 7_000;
/** As many as nginx keeps. */
const CONNECTIONS = 32;

unless(whyNoProxy("nginx", "haproxy"), describe.concurrent).each(PAIRS)(
  "%s in front of %s",
  (name, transport) => {
    it("answers every POST, also at the moment at which an idle connection ends", async ({
      onTestFinished,
    }) => {
      const gateway = await TestGateway.start(transport, { env: { TRUST_PROXY: "127.0.0.1" } });
      onTestFinished(() => gateway.stop());
      const network = await TcpProxy.start(gateway.gateway.port);
      onTestFinished(() => network.stop());
      const proxy = await ReverseProxy.start(name, network.port);
      onTestFinished(() => proxy.stop());
      network.delay(DELAY_MS);
      const agent = new Agent({ keepAlive: true });
      onTestFinished(async () => agent.destroy());

      async function post(): Promise<number> {
        const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
        const path = `/v1/${APP}/presences`;
        const asked = request({ agent, host: "127.0.0.1", port: proxy.port, method: "POST", path, headers });
        asked.end("{}");
        const [response] = (await once(asked, "response")) as [IncomingMessage];
        response.resume();
        await once(response, "end");
        return response.statusCode!;
      }
      const posts = (count: number) => Promise.all(Array.from({ length: count }, post));

      const statuses = await posts(CONNECTIONS);
      const idleSince = performance.now();
      const tries = TRIES.map(async (each) => {
        await delay(idleSince + each.afterMs - performance.now());
        return await posts(each.posts);
      });
      statuses.push(...(await Promise.all(tries)).flat());
      expect(statuses).toEqual(statuses.map(() => 200));
    });
  },
);

describe.concurrent.each(TRANSPORTS)("%s", (transport) => {
  it("keeps an idle connection for longer than the proxies do", async ({ onTestFinished }) => {
    const gateway = await TestGateway.start(transport);
    onTestFinished(() => gateway.stop());
    const tcp = connect(gateway.gateway.port, "127.0.0.1");
    onTestFinished(async () => void tcp.destroy());
    let answeredAt = Number.POSITIVE_INFINITY;
    tcp.on("data", () => {
      answeredAt = performance.now();
    });
    tcp.write("GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n");
    await once(tcp, "end");
    expect(performance.now() - answeredAt).toBeGreaterThan(MIN_IDLE_MS);
  });
});
