import { TYPING_BIT, VISIBLE_BIT } from "../../core/sessions/session.ts";
import { Id } from "../../protocol/ids.ts";
import { idProblem } from "../../protocol/rules.ts";
import type { Principal } from "../auth/principal.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import { EventStream, parsePosition } from "../gateway/event-stream.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import type { AnonymousRequests } from "./anonymous-requests.ts";
import { authorize } from "./authorize.ts";
import {
  BodyWanted,
  errorResponse,
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  streamResponse,
  textResponse,
} from "./exchange.ts";
import { FilterReader, filterOfQuery, misplacedFilter } from "./filter-reader.ts";
import { readParameters } from "./query-parameters.ts";
import type { Params, Route, RouteHandler } from "./router.ts";
import type { NodeDescription } from "./schemas.ts";

/** A request with the rights to be handled. */
interface AppRequest {
  readonly http: HttpRequest;
  readonly params: Params;
  readonly presence: AppPresence;
  readonly principal: Principal;
  readonly now: number;
}
type AppHandler = (request: AppRequest) => HttpResponse | BodyWanted;

/**
 * A body of at most this length is read even while memory is short. It arrived together with its head, so
 * reading it takes no further memory.
 */
const SMALL_BODY_BYTES = 16 * 1024;

/** The routes under `/v1/{appId}`. `describeNode` makes the body of `/v1/{appId}/node`. */
export function presenceRoutes(
  node: GatewayNode,
  anonymous: AnonymousRequests,
  describeNode: () => NodeDescription,
): Route[] {
  const forApp = (handler: AppHandler) => withApp(node, anonymous, handler);
  const filters = new Map(
    [...node.presences()].map((presence) => [presence, new FilterReader(presence.app)]),
  );
  return [
    {
      method: "POST",
      path: "/v1/:appId/presences",
      handler: forApp((request) =>
        readBody(node, request, (body) => presences(node, request, body, filters.get(request.presence)!)),
      ),
    },
    {
      method: "GET",
      path: "/v1/:appId/presences/stream",
      handler: forApp((request) => stream(node, request)),
    },
    ...USER_PATHS.flatMap((path): Route[] => [
      {
        method: "GET",
        path: `${path}/sessions`,
        handler: forApp((request) => withUser(request, (id) => userSessions(request.presence, id))),
      },
      {
        method: "DELETE",
        path: `${path}/sessions`,
        handler: forApp((request) =>
          withUser(request, (id) => forceEndAll(request.presence, id, request.now)),
        ),
      },
    ]),
    { method: "GET", path: "/v1/:appId/stats", handler: forApp(({ presence }) => stats(presence)) },
    { method: "GET", path: "/v1/:appId/node", handler: forApp(() => jsonResponse(200, describeNode())) },
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
  ];
}

/**
 * Two forms for what is about one user: with the id in the path, and with `?userId=`. Clients and proxies
 * take `.` and `..` in a path for directories, however they are encoded.
 */
const USER_PATHS = ["/v1/:appId/users/:userId", "/v1/:appId/users"] as const;

/** Finds the app, checks credentials and rate, then calls the handler. */
function withApp(node: GatewayNode, anonymous: AnonymousRequests, handler: AppHandler): RouteHandler {
  return (request, params) => {
    const presence = node.presence(params.appId ?? "");
    if (presence === undefined) return anonymous.respond(request.address(), unknownApp);
    if (!node.isReady) return errorResponse(503, { node: ["is starting"] }, { "retry-after": "1" });
    const authorized = authorize(presence.app, request.headers.authorization, node.clock.wallNow());
    if (!authorized.ok) {
      const { reason } = authorized;
      return anonymous.respond(request.address(), () => {
        node.telemetry.refused("unauthenticated", reason);
        return errorResponse(401, { authorization: [reason] }, { "www-authenticate": "Bearer" });
      });
    }
    request.authorized();
    const now = node.clock.now();
    if (!presence.httpRate.take(now)) {
      node.telemetry.refused("http_rate");
      const retryAfter = Math.max(1, Math.ceil(presence.httpRate.waitMs(now) / 1000));
      return errorResponse(
        429,
        { rate: ["too many requests a second"] },
        { "retry-after": String(retryAfter) },
      );
    }
    return handler({ http: request, params, presence, principal: authorized.principal, now });
  };
}

const IDENTITY = /^\s*(?:identity)?\s*$/i;
const CODED_BODY = errorResponse(415, { "content-encoding": ["send the body as it is, not compressed"] });

/** Has the body read, unless memory is short and the body is long. */
function readBody(
  node: GatewayNode,
  { http, presence }: AppRequest,
  handle: (body: Buffer) => HttpResponse,
  maxBytes?: number,
): HttpResponse | BodyWanted {
  const coding = http.headers["content-encoding"];
  if (coding !== undefined && !IDENTITY.test(coding)) return CODED_BODY;
  if (!node.loadShedder.isShort || http.contentLength <= SMALL_BODY_BYTES) {
    return new BodyWanted(presence.app.id, handle, maxBytes);
  }
  node.telemetry.refused("memory");
  return errorResponse(503, { body: ["this node is short of memory"] }, { "retry-after": "5" });
}

function presences(
  node: GatewayNode,
  { http, presence, now }: AppRequest,
  body: Buffer,
  filters: FilterReader,
): HttpResponse {
  const misplaced = misplacedFilter(http.query);
  if (misplaced !== undefined) return misplaced;
  const parsed = filters.ofBody(body, http.headers["content-type"]);
  if (!parsed.ok) return parsed.response;
  const text = parsed.response.read(presence.table);
  node.telemetry.observeQuery(node.clock.now() - now);
  return textResponse(200, text);
}

function stream(node: GatewayNode, { http, presence, principal }: AppRequest): HttpResponse {
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
    (sink) => new EventStream(node, presence, principal, parsed.filter, since, sink, admission),
  );
}

function userSessions(presence: AppPresence, userId: string): HttpResponse {
  const background = [];
  const widgets = [];
  const user = presence.table.user(userId);
  const sessions = user === undefined || user.isInvisible ? [] : user.sessions;
  for (const { flagBits, selectedConversationId } of sessions) {
    const row = {
      isTyping: (flagBits & TYPING_BIT) !== 0,
      currentConversationId: selectedConversationId,
    };
    if ((flagBits & VISIBLE_BIT) !== 0) widgets.push(row);
    else background.push(row);
  }
  return jsonResponse(200, [...background, ...widgets]);
}

function forceEndAll(presence: AppPresence, userId: string, now: number): HttpResponse {
  const ended = presence.transact(now, (sessions) => sessions.forceEndAll(userId));
  return jsonResponse(200, { ended });
}

function stats(presence: AppPresence): HttpResponse {
  const { sockets, subscriptions, views } = presence;
  return jsonResponse(200, { ...presence.table.counts(), sockets, subscriptions, views });
}

/** Calls the handler with the user's id, from the path or from the query. */
function withUser({ http, params }: AppRequest, handle: (userId: string) => HttpResponse): HttpResponse {
  let { userId } = params;
  if (userId === undefined) {
    const read = readParameters(http.query, ["userId"]);
    if (!read.ok) return errorResponse(400, read.reasons);
    userId = read.parameters.get("userId") ?? "";
  }
  const result = Id.safeParse(userId);
  if (result.success) return handle(result.data);
  return errorResponse(400, { userId: [idProblem(userId) ?? "is not valid"] });
}

function unknownApp(): HttpResponse {
  return errorResponse(404, { appId: ["there is no such app"] });
}
