import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonResponse } from "../../src/server/http/exchange.ts";
import type { Transport, TransportOptions } from "../../src/server/transport/transport.ts";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { listenUws } from "../../src/server/transport/uws/uws.ts";
import { listenWs } from "../../src/server/transport/ws/ws.ts";
import { installedProxies, ReverseProxy, whyNoProxy } from "../programs/reverse-proxy.ts";
import { behind, FOLLOWED, type Make, PROBES } from "../support/hidden-requests.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { limitsOf } from "../support/transport-options.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";

// If proxy and gateway read the same bytes differently, there is an extra response, and the next client on
// that connection receives it. A transport without a gateway counts the requests that it handles.

const PAIRS = installedProxies().flatMap((proxy) =>
  TRANSPORTS.map((transport) => [proxy, transport] as const),
);
/** Number of probes at a time, and how long each waits for an extra response. */
const AT_ONCE = 20;
const QUIET_MS = 400;

unless(whyNoProxy("nginx", "haproxy"), describe.concurrent).each(PAIRS)(
  "behind %s, over %s",
  (proxyName, name) => {
    let transport: Transport;
    let proxy: ReverseProxy;
    const handled: string[] = [];
    const crashes: unknown[] = [];

    beforeAll(async () => {
      const options: TransportOptions = {
        host: "127.0.0.1",
        port: 0,
        maxMessageBytes: 65_536,
        maxBufferedBytes: 65_536,
        ...limitsOf(name),
        upgrade: ({ appId }) =>
          appId === "nowhere" || appId === "guarded-app"
            ? { ok: false, status: 403, message: "no" }
            : { ok: true, accept: () => LISTENER, abandon: () => {} },
        handle: ({ path, headers }) => {
          if (path !== "/readyz") handled.push(path);
          return jsonResponse(200, { path, by: headers.authorization });
        },
        clientAddress: (peer) => peer,
        crashed: (error) => crashes.push(error),
      };
      const { uws } = loadUws();
      transport = name === "uws" ? await listenUws(uws!, options) : await listenWs(options);
      proxy = await ReverseProxy.start(proxyName, transport.port);
    });
    afterAll(async () => {
      await proxy.stop();
      await transport.close();
      expect(crashes).toEqual([]);
    });

    /** Counts how often the hidden request was handled, and how many responses came. */
    async function probe(make: Make, i: number, least = 0, quietMs = QUIET_MS) {
      const hidden = `/hidden/${i}`;
      const bytes = Buffer.from(make(`GET ${hidden} HTTP/1.1\r\nHost: x\r\n\r\n`), "latin1");
      const times = () => handled.filter((path) => path === hidden).length;
      // The proxy may read it as a second request. Then both sides count two, and the second response may
      // come late.
      const isEnough = (text: string) => statuses(text).length > (times() || least - 1);
      const answers = statuses(await sendRaw(proxy.port, bytes, quietMs, isEnough)).length;
      // A connection that the proxy keeps open to the gateway may hold a response without a request.
      for (let j = 0; j < 3; j++) {
        const path = `/innocent/${i}/${j}`;
        const response = await fetch(`http://127.0.0.1:${proxy.port}${path}`);
        if (((await response.json()) as { path: string }).path !== path)
          throw new Error("the response to another request");
      }
      return { times: times(), answers };
    }

    it("two ordinary requests in one packet get a response each", async () => {
      expect(await probe(behind("Content-Length: 0"), -1, 2)).toEqual({ times: 1, answers: 2 });
    });

    it("only requests that the proxy sent are handled, and no client gets another client's response", async () => {
      const wrong: string[] = [];
      const left = [...[...PROBES, ...FOLLOWED].entries()];
      const worker = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          const [i, [name, make]] = next;
          const isBalanced = ({ times, answers }: { times: number; answers: number }) =>
            times <= Math.max(0, answers - 1);
          if (isBalanced(await probe(make, i))) continue;
          // On a busy machine the response may just be late.
          const again = await probe(make, 1_000 + i, 0, 10 * QUIET_MS);
          if (!isBalanced(again)) wrong.push(`${name}: done ${again.times} times, ${again.answers} answers`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      expect(wrong).toEqual([]);
    });
  },
);

const LISTENER = { onText() {}, onBinary() {}, onControl() {}, onFlush() {}, onDrain() {}, onClose() {} };
