import { createHash, timingSafeEqual } from "node:crypto";
import ipaddr from "ipaddr.js";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import type { AnonymousRequests } from "./anonymous-requests.ts";
import { asyncApiDocument } from "./asyncapi.ts";
import { readBearer } from "./authorize.ts";
import { type DashboardFile, dashboardFiles } from "./dashboard.ts";
import {
  errorResponse,
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  plainResponse,
  redirectResponse,
} from "./exchange.ts";
import { openApiDocument } from "./openapi.ts";
import type { Route } from "./router.ts";

export interface NodeRoutesOptions {
  readonly node: GatewayNode;
  readonly anonymous: AnonymousRequests;
  /**
   * Whether an address is a proxy of ours. Its requests come from other machines, even if it runs on this
   * one.
   */
  readonly isProxy: (address: string) => boolean;
  readonly isReady: () => boolean;
  /** Whether another process of this gateway is missing. */
  readonly isMissingWorkers?: (() => boolean) | undefined;
  /** Undefined: the process that knows all of them does not answer. */
  readonly renderMetrics: () => Promise<{ contentType: string; text: string } | undefined>;
  /** The bearer token for /metrics; without one, only programs on this machine get them. */
  readonly metricsToken: string | undefined;
  readonly version: string;
  /** The files of the dashboard; none if it was not built. */
  readonly dashboard: readonly DashboardFile[];
  /** Development mode: `/` leads to the dashboard. In production nothing is there. */
  readonly isDevelopment: boolean;
}

/** The routes about the node itself. */
export function nodeRoutes(options: NodeRoutesOptions): Route[] {
  const { anonymous } = options;
  const { openApi, asyncApi } = documentsOf(options.version);
  const open = (path: string, respond: (request: HttpRequest) => HttpResponse): Route => ({
    method: "GET",
    path,
    handler: (request) => anonymous.respond(request.address(), () => respond(request)),
  });
  const check = (path: string, respond: () => HttpResponse): Route => ({
    method: "GET",
    path,
    handler: (request) => anonymous.respondToCheck(request.address(), respond),
  });
  return [
    check("/healthz", () => jsonResponse(200, { status: "alive" })),
    check("/readyz", () => readiness(options)),
    {
      method: "GET",
      path: "/metrics",
      handler: (request) => metrics(request, options),
    },
    open("/openapi.json", () => plainResponse(200, "application/json; charset=utf-8", openApi)),
    open("/asyncapi.json", () => plainResponse(200, "application/json; charset=utf-8", asyncApi)),
    ...dashboardFiles(options.dashboard).map(({ path, respond }) => open(path, respond)),
    // Relative to the request: a proxy may serve the gateway under a path.
    open("/dashboard", () => redirectResponse("dashboard/")),
    // Tomorrow another program may have this port, so no browser may remember it.
    ...(options.isDevelopment ? [open("/", () => redirectResponse("/dashboard/", 302))] : []),
  ];
}

/** The documents about the interfaces, as they are sent. */
interface Documents {
  readonly version: string;
  readonly openApi: string;
  readonly asyncApi: string;
}

let made: Documents | undefined;

/** Making the documents takes 10 ms, so several gateways of one process share them. */
function documentsOf(version: string): Documents {
  if (made?.version === version) return made;
  made = {
    version,
    openApi: JSON.stringify(openApiDocument(version)),
    asyncApi: JSON.stringify(asyncApiDocument(version)),
  };
  return made;
}

function readiness({ node, isReady, isMissingWorkers }: NodeRoutesOptions): HttpResponse {
  if (node.isDraining) return jsonResponse(503, { status: "draining" }, { "retry-after": "1" });
  if (!isReady()) return jsonResponse(503, { status: "starting" }, { "retry-after": "1" });
  // Still 200: a load balancer that took this node out would disconnect the clients that it serves.
  const degraded = node.isDegraded || isMissingWorkers?.() ? "degraded" : "ready";
  return jsonResponse(200, { status: node.loadShedder.isShort ? "low_memory" : degraded });
}

function metrics(request: HttpRequest, options: NodeRoutesOptions): HttpResponse | Promise<HttpResponse> {
  const { anonymous, metricsToken } = options;
  const shownToken = hasMetricsToken(request, metricsToken);
  if (shownToken) {
    request.authorized();
    return renderedMetrics(options);
  }
  return anonymous.respond(request.address(), () => {
    if (metricsToken === undefined && isLocal(request, options)) return renderedMetrics(options);
    const hint =
      metricsToken === undefined
        ? "only for programs on the same machine that ask localhost, unless METRICS_TOKEN is set"
        : "send Authorization: Bearer <METRICS_TOKEN>";
    return errorResponse(401, { authorization: [hint] }, { "www-authenticate": "Bearer" });
  });
}

async function renderedMetrics({ renderMetrics }: NodeRoutesOptions): Promise<HttpResponse> {
  const metrics = await renderMetrics();
  if (metrics === undefined) {
    return errorResponse(503, { node: ["the first process does not answer"] }, { "retry-after": "5" });
  }
  return plainResponse(200, metrics.contentType, metrics.text);
}

function hasMetricsToken({ headers }: HttpRequest, metricsToken: string | undefined): boolean {
  if (metricsToken === undefined) return false;
  const shown = readBearer(headers.authorization);
  return shown !== undefined && timingSafeEqual(digest(shown), digest(metricsToken));
}

/** Whether the request comes from a program on this machine, and not through a proxy on it. */
function isLocal(request: HttpRequest, { isProxy }: NodeRoutesOptions): boolean {
  const address = request.address();
  if (request.isForwarded || isProxy(address)) return false;
  // DNS rebinding: a page in a browser on this machine can connect to it, but then Host is the name of the
  // page.
  return isLoopback(address) && namesThisMachine(request.headers.host);
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}

/** Whether a Host header names this machine without the help of a name server. */
function namesThisMachine(host: string | undefined): boolean {
  const [, ipv6, name = ""] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d*)?$/i.exec(host ?? "") ?? [];
  return name.toLowerCase() === "localhost" || isLoopback(ipv6 ?? name);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
