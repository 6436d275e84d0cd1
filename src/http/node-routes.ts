import { createHash, timingSafeEqual } from "node:crypto";
import ipaddr from "ipaddr.js";
import type { Hub } from "../gateway/hub.ts";
import { readBearer } from "./authorize.ts";
import { type DashboardFile, dashboardRoutes } from "./dashboard.ts";
import { answerError, answerJson, answerPlain, answerRedirect, type HttpRequest } from "./exchange.ts";
import { openApiDocument } from "./openapi.ts";
import type { Route } from "./router.ts";

export interface NodeRoutesOptions {
  readonly hub: Hub;
  readonly isReady: () => boolean;
  readonly renderMetrics: () => Promise<{ contentType: string; text: string }>;
  /** The bearer token for /metrics; without one, only programs on this machine get them. */
  readonly metricsToken: string | undefined;
  readonly version: string;
  /** What the dashboard was built to; none when it was not built. */
  readonly dashboard: readonly DashboardFile[];
}

/** The routes about the node itself. */
export function nodeRoutes(options: NodeRoutesOptions): Route[] {
  const { hub } = options;
  const openApi = JSON.stringify(openApiDocument(options.version));
  return [
    { method: "GET", path: "/healthz", handler: () => answerJson(200, { status: "alive" }) },
    {
      method: "GET",
      path: "/readyz",
      handler: () => {
        if (hub.isDraining) return answerJson(503, { status: "draining" }, { "retry-after": "1" });
        if (!options.isReady() || !hub.isReady) {
          return answerJson(503, { status: "starting" }, { "retry-after": "1" });
        }
        // Still 200: whoever took it out of service for this would cut off those that it serves.
        const degraded = hub.isDegraded ? "degraded" : "ready";
        return answerJson(200, { status: hub.memory.isShort ? "low_memory" : degraded });
      },
    },
    {
      method: "GET",
      path: "/metrics",
      handler: async (request) => {
        if (!mayReadMetrics(request, options.metricsToken)) {
          const hint =
            options.metricsToken === undefined
              ? "only for programs on the same machine that ask localhost, unless METRICS_TOKEN is set"
              : "send Authorization: Bearer <METRICS_TOKEN>";
          return answerError(401, { authorization: [hint] }, { "www-authenticate": "Bearer" });
        }
        const { contentType, text } = await options.renderMetrics();
        return answerPlain(200, contentType, text);
      },
    },
    {
      method: "GET",
      path: "/openapi.json",
      handler: () => answerPlain(200, "application/json; charset=utf-8", openApi),
    },
    ...dashboardRoutes(options.dashboard),
    {
      method: "GET",
      path: "/dashboard",
      handler: () => answerRedirect("/dashboard/"),
    },
  ];
}

function mayReadMetrics(request: HttpRequest, metricsToken: string | undefined): boolean {
  const { headers } = request;
  if (metricsToken !== undefined) {
    const shown = readBearer(headers.authorization);
    return shown !== undefined && timingSafeEqual(digest(shown), digest(metricsToken));
  }
  // A proxy on this machine makes everyone look local: what it forwards is not.
  if (headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined) return false;
  // A page whose name was made to mean this machine (DNS rebinding) comes from a browser on it, and says that name.
  return isLoopback(request.address()) && namesThisMachine(headers.host);
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}

/** Whether a Host header is a name for this machine that no name server has a say in. */
function namesThisMachine(host: string | undefined): boolean {
  const [, ipv6, name = ""] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d*)?$/i.exec(host ?? "") ?? [];
  return name.toLowerCase() === "localhost" || isLoopback(ipv6 ?? name);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
