import type { Principal } from "../auth/principal.ts";
import { EventStream, parsePosition } from "../gateway/event-stream.ts";
import type { Hub } from "../gateway/hub.ts";
import type { Tenant } from "../gateway/tenant.ts";
import { Id } from "../protocol/ids.ts";
import { idProblem } from "../protocol/rules.ts";
import { TYPING_SHAPE, VISIBLE_SHAPE } from "../sessions/session.ts";
import { authorize } from "./authorize.ts";
import {
  answerError,
  answerJson,
  answerStream,
  answerText,
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
  readonly tenant: Tenant;
  readonly principal: Principal;
  readonly now: number;
}
type AppHandler = (asked: Asked) => HttpAnswer;

/** The routes under `/v1/{appId}`; `describeNode` makes what `node` answers. */
export function presenceRoutes(hub: Hub, describeNode: () => NodeDescription): Route[] {
  const forApp = (handler: AppHandler) => withApp(hub, handler);
  const filters = new Map([...hub.tenants()].map((tenant) => [tenant, new FilterReader()]));
  return [
    {
      method: "POST",
      path: "/v1/:appId/presences",
      handler: forApp((asked) => presences(hub, asked, filters.get(asked.tenant)!)),
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
      handler: (_request, params) =>
        hub.tenant(params.appId ?? "") === undefined
          ? unknownApp()
          : answerError(426, { upgrade: ["this path is for WebSockets"] }, { upgrade: "websocket" }),
    },
  ];
}

/** Finds the app, checks who asks and how often, then handles. */
function withApp(hub: Hub, handler: AppHandler): RouteHandler {
  return (request, params) => {
    const tenant = hub.tenant(params.appId ?? "");
    if (tenant === undefined) return unknownApp();
    if (!hub.isReady) return answerError(503, { node: ["is starting"] }, { "retry-after": "1" });
    const authorized = authorize(tenant.app, request.headers.authorization, hub.clock.wallNow());
    if (!authorized.ok) {
      hub.telemetry.refused("unauthenticated", authorized.reason);
      return answerError(401, { authorization: [authorized.reason] }, { "www-authenticate": "Bearer" });
    }
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

function presences(hub: Hub, { request, tenant, now }: Asked, filters: FilterReader): HttpAnswer {
  const parsed = filters.ofBody(request);
  if (!parsed.ok) return parsed.answer;
  const body = parsed.answer.read(tenant.table);
  hub.telemetry.observeQuery(hub.clock.now() - now);
  return answerText(200, body);
}

function stream(hub: Hub, { request, tenant, principal }: Asked): HttpAnswer {
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

function userSessions(tenant: Tenant, userId: string): HttpAnswer {
  const background = [];
  const widgets = [];
  for (const { shape, selectedConversationId } of tenant.table.user(userId)?.sessions ?? []) {
    const row = {
      isTyping: (shape & TYPING_SHAPE) !== 0,
      currentConversationId: selectedConversationId,
    };
    if ((shape & VISIBLE_SHAPE) !== 0) widgets.push(row);
    else background.push(row);
  }
  return answerJson(200, [...background, ...widgets]);
}

function kick(tenant: Tenant, userId: string, now: number): HttpAnswer {
  const ended = tenant.kick(userId, now);
  tenant.settle(now);
  return answerJson(200, { ended });
}

function stats(tenant: Tenant): HttpAnswer {
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
