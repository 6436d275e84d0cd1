import type { App } from "../auth/app.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import { EventStream, parsePosition } from "../gateway/event-stream.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import { ResultPages } from "../gateway/result-pages.ts";
import type { AnonymousRequests } from "./anonymous-requests.ts";
import { type AppHandler, type AppRequest, readBody, unknownApp, withApp } from "./app-request.ts";
import type { AppStats } from "./app-stats.ts";
import { batchRoute } from "./batch.ts";
import type { BodyBudget } from "./body-budget.ts";
import { CountTurns } from "./count-turns.ts";
import { errorResponse, type HttpResponse, jsonResponse, streamResponse, textResponse } from "./exchange.ts";
import { FilterReader, filterOfQuery, misplacedFilter, type Parsed } from "./filter-reader.ts";
import { questionRoutes } from "./question-api.ts";
import { createRouter, type Route } from "./router.ts";
import type { NodeDescription } from "./schemas.ts";
import { userRoutes } from "./user-api.ts";

export interface PresenceRoutesOptions {
  readonly node: GatewayNode;
  readonly anonymous: AnonymousRequests;
  /** Bounds the bodies of checks that wait for their turn. */
  readonly bodies: BodyBudget;
  /** Makes the body of `/v1/{appId}/node`. */
  readonly describeNode: () => NodeDescription;
  /** What `/v1/{appId}/stats` says besides the sessions of an app. */
  readonly statsOf: (presence: AppPresence) => AppStats | Promise<AppStats>;
}

/** The routes under `/v1/{appId}`. */
export function presenceRoutes(options: PresenceRoutesOptions): Route[] {
  const { node, anonymous, bodies, describeNode, statsOf } = options;
  const forApp = (handler: AppHandler) => withApp(node, anonymous, handler);
  const counts = new CountTurns((error) => node.telemetry.crashed(error));
  const counted = (filter: Answered, presence: AppPresence) => count(filter, presence, counts);
  const routes: Route[] = [
    { method: "POST", path: "/v1/:appId/presences", handler: forApp(withFilter(node, false, presences)) },
    { method: "POST", path: "/v1/:appId/presences/count", handler: forApp(withFilter(node, true, counted)) },
    ...questionRoutes(node, bodies, forApp),
    ...userRoutes(node, forApp),
    {
      method: "GET",
      path: "/v1/:appId/stats",
      handler: forApp(({ presence }) => stats(presence, statsOf(presence))),
    },
    { method: "GET", path: "/v1/:appId/node", handler: forApp(() => jsonResponse(200, describeNode())) },
  ];
  return [
    ...routes,
    // These are no part of a batch.
    {
      method: "GET",
      path: "/v1/:appId/presences/stream",
      handler: forApp((request) => stream(node, request)),
    },
    {
      method: "GET",
      path: "/v1/:appId/realtime",
      handler: (request, params) =>
        anonymous.respond(request.address(), () =>
          node.presence(params.appId ?? "") === undefined
            ? unknownApp()
            : errorResponse(426, { upgrade: ["this path is for WebSockets"] }, { upgrade: "websocket" }),
        ),
    },
    batchRoute(node, forApp, createRouter(routes, anonymous)),
  ];
}

type Answered = Extract<Parsed, { ok: true }>;

/** Reads the filter that is the body, and answers with what `answer` makes of it. */
function withFilter(
  node: GatewayNode,
  isCount: boolean,
  answer: (filter: Answered, presence: AppPresence) => HttpResponse | Promise<HttpResponse>,
): AppHandler {
  // By what the app is now: a reload makes it another one.
  const readers = new WeakMap<App, FilterReader>();
  return (request) => {
    const { http, presence, now } = request;
    const { app } = presence;
    let reader = readers.get(app);
    if (reader === undefined) {
      reader = new FilterReader(app, isCount);
      readers.set(app, reader);
    }
    return readBody(node, request, (body) => {
      const misplaced = misplacedFilter(http.query);
      if (misplaced !== undefined) return misplaced;
      const parsed = reader.ofBody(body, http.headers["content-type"]);
      if (!parsed.ok) return parsed.response;
      const response = answer(parsed, presence);
      node.telemetry.observeQuery(node.clock.now() - now);
      return response;
    });
  };
}

function presences({ response }: Answered, { table }: AppPresence): HttpResponse {
  return textResponse(200, response.read(table));
}

/** Counts few users at once, and many in several turns of the event loop, so that others are served. */
async function count(
  { filter }: Answered,
  { app, table }: AppPresence,
  turns: CountTurns,
): Promise<HttpResponse> {
  const pages = new ResultPages(filter, table);
  const users = pages.tryCount(1) ?? (await turns.run(app.id, () => pages.tryCount()));
  return jsonResponse(200, { data: { users } });
}

function stream(node: GatewayNode, { http, presence, credentials }: AppRequest): HttpResponse {
  const parsed = filterOfQuery(presence.app, http.query);
  if (!parsed.ok) return parsed.response;
  const since = parsePosition(http.headers["last-event-id"]);
  if (http.method === "HEAD") return textResponse(200, "", { "content-type": "text/event-stream" });
  const admission = node.admit(http.address());
  if (!admission.ok) {
    const { status, message, retryAfterS = 1 } = admission;
    return errorResponse(status, { connections: [message] }, { "retry-after": String(retryAfterS) });
  }
  return streamResponse(
    "text/event-stream; charset=utf-8",
    (sink) => new EventStream(node, presence, credentials, parsed.filter, since, sink, admission),
  );
}

function stats(
  presence: AppPresence,
  known: AppStats | Promise<AppStats>,
): HttpResponse | Promise<HttpResponse> {
  if (known instanceof Promise) return known.then((all) => stats(presence, all));
  const { sockets, subscriptions, views, webhooks } = known;
  return jsonResponse(200, {
    ...presence.table.counts(),
    sockets,
    subscriptions,
    views,
    ...(webhooks.length > 0 && { webhooks }),
  });
}
