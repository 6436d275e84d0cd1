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
  answerError,
  answerJson,
  answerStream,
  answerText,
  BodyWanted,
  type HttpAnswer,
  type HttpRequest,
} from "./exchange.ts";
import { FilterReader, filterOfQuery } from "./filter-reader.ts";
import type { Params, Route, RouteHandler } from "./router.ts";
import type { NodeDescription } from "./schemas.ts";

/** A request of somebody who may make it. */
interface Asked {
  readonly request: HttpRequest;
  readonly params: Params;
  readonly tenant: AppPresence;
  readonly principal: Principal;
  readonly now: number;
}
type AppHandler = (asked: Asked) => HttpAnswer | BodyWanted;

/**
 * A body of this length or less is read while memory is short, too: it came with its head, so reading it
 * makes nothing grow, and those who are there are to be served.
 */
const SMALL_BODY_BYTES = 16 * 1024;

/** The routes under `/v1/{appId}`; `describeNode` makes what `node` answers. */
export function presenceRoutes(
  hub: GatewayNode,
  anonymous: AnonymousRequests,
  describeNode: () => NodeDescription,
): Route[] {
  const forApp = (handler: AppHandler) => withApp(hub, anonymous, handler);
  const filters = new Map([...hub.presences()].map((tenant) => [tenant, new FilterReader()]));
  return [
    {
      method: "POST",
      path: "/v1/:appId/presences",
      handler: forApp((asked) =>
        readBody(hub, asked, (body) => presences(hub, asked, body, filters.get(asked.tenant)!)),
      ),
    },
    {
      method: "GET",
      path: "/v1/:appId/presences/stream",
      handler: forApp((asked) => stream(hub, asked)),
    },
    {
      method: "GET",
      path: "/v1/:appId/users/:userId/sessions",
      handler: forApp(({ tenant, params }) => withUser(params, (id) => userSessions(tenant, id))),
    },
    {
      method: "DELETE",
      path: "/v1/:appId/users/:userId/sessions",
      handler: forApp(({ tenant, params, now }) => withUser(params, (id) => kick(tenant, id, now))),
    },
    { method: "GET", path: "/v1/:appId/stats", handler: forApp(({ tenant }) => stats(tenant)) },
    { method: "GET", path: "/v1/:appId/node", handler: forApp(() => answerJson(200, describeNode())) },
    {
      method: "GET",
      path: "/v1/:appId/realtime",
      handler: (request, params) =>
        anonymous.answer(request.address(), () =>
          hub.presence(params.appId ?? "") === undefined
            ? unknownApp()
            : answerError(426, { upgrade: ["this path is for WebSockets"] }, { upgrade: "websocket" }),
        ),
    },
  ];
}

/** Finds the app, checks who asks and how often, then handles. */
function withApp(hub: GatewayNode, anonymous: AnonymousRequests, handler: AppHandler): RouteHandler {
  return (request, params) => {
    const tenant = hub.presence(params.appId ?? "");
    if (tenant === undefined) return anonymous.answer(request.address(), unknownApp);
    if (!hub.isReady) return answerError(503, { node: ["is starting"] }, { "retry-after": "1" });
    const authorized = authorize(tenant.app, request.headers.authorization, hub.clock.wallNow());
    if (!authorized.ok) {
      const { reason } = authorized;
      return anonymous.answer(request.address(), () => {
        hub.telemetry.refused("unauthenticated", reason);
        return answerError(401, { authorization: [reason] }, { "www-authenticate": "Bearer" });
      });
    }
    request.authorized();
    const now = hub.clock.now();
    if (!tenant.httpRate.take(now)) {
      hub.telemetry.refused("http_rate");
      const retryAfter = Math.max(1, Math.ceil(tenant.httpRate.waitMs(now) / 1000));
      return answerError(
        429,
        { rate: ["too many requests a second"] },
        { "retry-after": String(retryAfter) },
      );
    }
    return handler({ request, params, tenant, principal: authorized.principal, now });
  };
}

/** Has the body read, unless that would make memory grow that is short. */
function readBody(
  hub: GatewayNode,
  { request, tenant }: Asked,
  handle: (body: Buffer) => HttpAnswer,
  maxBytes?: number,
): HttpAnswer | BodyWanted {
  if (!hub.loadShedder.isShort || request.contentLength <= SMALL_BODY_BYTES) {
    return new BodyWanted(tenant.app.id, handle, maxBytes);
  }
  hub.telemetry.refused("memory");
  return answerError(503, { body: ["this node is short of memory"] }, { "retry-after": "5" });
}

function presences(
  hub: GatewayNode,
  { request, tenant, now }: Asked,
  body: Buffer,
  filters: FilterReader,
): HttpAnswer {
  const parsed = filters.ofBody(body, request.headers["content-type"]);
  if (!parsed.ok) return parsed.answer;
  const text = parsed.answer.read(tenant.table);
  hub.telemetry.observeQuery(hub.clock.now() - now);
  return answerText(200, text);
}

function stream(hub: GatewayNode, { request, tenant, principal }: Asked): HttpAnswer {
  const parsed = filterOfQuery(request.query);
  if (!parsed.ok) return parsed.answer;
  const since = parsePosition(request.headers["last-event-id"]);
  if (request.method === "HEAD") return answerText(200, "", { "content-type": "text/event-stream" });
  const admission = hub.admit(request.address());
  if (!admission.ok) {
    const { status, message, retryAfterS = 1 } = admission;
    return answerError(status, { connections: [message] }, { "retry-after": String(retryAfterS) });
  }
  return answerStream(
    "text/event-stream; charset=utf-8",
    (sink) => new EventStream(hub, tenant, principal, parsed.filter, since, sink, admission),
  );
}

function userSessions(tenant: AppPresence, userId: string): HttpAnswer {
  const background = [];
  const widgets = [];
  for (const { statusBits, selectedConversationId } of tenant.table.user(userId)?.sessions ?? []) {
    const row = {
      isTyping: (statusBits & TYPING_BIT) !== 0,
      currentConversationId: selectedConversationId,
    };
    if ((statusBits & VISIBLE_BIT) !== 0) widgets.push(row);
    else background.push(row);
  }
  return answerJson(200, [...background, ...widgets]);
}

function kick(tenant: AppPresence, userId: string, now: number): HttpAnswer {
  const ended = tenant.transact(now, (sessions) => sessions.forceEndAll(userId));
  return answerJson(200, { ended });
}

function stats(tenant: AppPresence): HttpAnswer {
  const { sockets, subscriptions, views } = tenant;
  return answerJson(200, { ...tenant.table.counts(), sockets, subscriptions, views });
}

function withUser(params: Params, handle: (userId: string) => HttpAnswer): HttpAnswer {
  const result = Id.safeParse(params.userId);
  if (result.success) return handle(result.data);
  return answerError(400, { userId: [idProblem(params.userId ?? "") ?? "is not valid"] });
}

function unknownApp(): HttpAnswer {
  return answerError(404, { appId: ["there is no such app"] });
}
