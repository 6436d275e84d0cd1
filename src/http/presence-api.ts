import { isUtf8 } from "node:buffer";
import type { Principal } from "../auth/principal.ts";
import { EventStream, parsePosition } from "../gateway/event-stream.ts";
import type { Hub } from "../gateway/hub.ts";
import { ResultPages } from "../gateway/result-pages.ts";
import type { Tenant } from "../gateway/tenant.ts";
import { toIssues } from "../protocol/codec.ts";
import { type Filter, FilterSchema } from "../protocol/filter.ts";
import { Id } from "../protocol/ids.ts";
import { idProblem } from "../protocol/rules.ts";
import { TYPING_SHAPE, VISIBLE_SHAPE } from "../sessions/session.ts";
import { CompiledFilter } from "../views/compiled-filter.ts";
import { authorize } from "./authorize.ts";
import {
  answerError,
  answerJson,
  answerStream,
  answerText,
  type HttpAnswer,
  type HttpRequest,
  type Reasons,
} from "./exchange.ts";
import type { Params, Route, RouteHandler } from "./router.ts";
import type { NodeDescription } from "./schemas.ts";

type AppHandler = (request: HttpRequest, tenant: Tenant, principal: Principal, params: Params) => HttpAnswer;
type Parsed =
  | { readonly ok: true; readonly filter: CompiledFilter }
  | { readonly ok: false; readonly answer: HttpAnswer };

/** The routes under `/v1/{appId}`; `describeNode` makes what `node` answers. */
export function presenceRoutes(hub: Hub, describeNode: () => NodeDescription): Route[] {
  const forApp = (handler: AppHandler) => withApp(hub, handler);
  return [
    {
      method: "POST",
      path: "/v1/:appId/presences",
      handler: forApp((request, tenant) => presences(hub, request, tenant)),
    },
    {
      method: "GET",
      path: "/v1/:appId/presences/stream",
      handler: forApp((request, tenant, principal) => stream(hub, request, tenant, principal)),
    },
    {
      method: "GET",
      path: "/v1/:appId/users/:userId/sessions",
      handler: forApp((_request, tenant, _principal, params) =>
        withUser(params, (id) => userSessions(tenant, id)),
      ),
    },
    {
      method: "DELETE",
      path: "/v1/:appId/users/:userId/sessions",
      handler: forApp((_request, tenant, _principal, params) =>
        withUser(params, (id) => kick(hub, tenant, id)),
      ),
    },
    { method: "GET", path: "/v1/:appId/stats", handler: forApp((_request, tenant) => stats(tenant)) },
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

/** Finds the app, checks who asks and how often, then handles. A bare secret needs no waiting anywhere. */
function withApp(hub: Hub, handler: AppHandler): RouteHandler {
  return (request, params) => {
    const tenant = hub.tenant(params.appId ?? "");
    if (tenant === undefined) return unknownApp();
    if (!hub.isReady) return answerError(503, { node: ["is starting"] }, { "retry-after": "1" });
    const authorized = authorize(tenant.app, request.headers.authorization, hub.clock.wallNow());
    const proceed = (result: Awaited<typeof authorized>) => {
      if (!result.ok) {
        hub.telemetry.refused("unauthenticated", result.reason);
        return answerError(401, { authorization: [result.reason] }, { "www-authenticate": "Bearer" });
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
      return handler(request, tenant, result.principal, params);
    };
    return authorized instanceof Promise ? authorized.then(proceed) : proceed(authorized);
  };
}

function presences(hub: Hub, request: HttpRequest, tenant: Tenant): HttpAnswer {
  const parsed = parseBody(request);
  if (!parsed.ok) return parsed.answer;
  const before = hub.clock.now();
  const pages = new ResultPages(parsed.filter, tenant.table);
  const first = pages.next();
  const answer = answerText(200, first.more ? pieces(first.text, pages) : `{"data":{${first.text}}}`);
  hub.telemetry.observeQuery(hub.clock.now() - before);
  return answer;
}

/** A long answer, worked out as the client takes it. */
function* pieces(first: string, pages: ResultPages<unknown>): Generator<string, undefined> {
  yield `{"data":{${first}`;
  for (let more = true; more; ) {
    const page = pages.next();
    more = page.more;
    if (page.text !== "") yield `,${page.text}`;
  }
  yield "}}";
}

function stream(hub: Hub, request: HttpRequest, tenant: Tenant, principal: Principal): HttpAnswer {
  const parsed = parseQuery(request.query);
  if (!parsed.ok) return parsed.answer;
  const since = parsePosition(request.headers["last-event-id"]);
  if (request.method === "HEAD") return answerText(200, "", { "content-type": "text/event-stream" });
  const admission = hub.admit(request.address);
  if (!admission.ok) {
    const { status, message, retryAfterS = 1 } = admission;
    return answerError(status, { connections: [message] }, { "retry-after": String(retryAfterS) });
  }
  return answerStream(
    "text/event-stream; charset=utf-8",
    (sink) => new EventStream(hub, tenant, principal, parsed.filter, since, sink, admission.release),
  );
}

function userSessions(tenant: Tenant, userId: string): HttpAnswer {
  const background = [];
  const widgets = [];
  for (const { shape, state } of tenant.table.user(userId)?.sessions ?? []) {
    const row = {
      isTyping: (shape & TYPING_SHAPE) !== 0,
      currentConversationId: state.selectedConversationId,
    };
    if ((shape & VISIBLE_SHAPE) !== 0) widgets.push(row);
    else background.push(row);
  }
  return answerJson(200, [...background, ...widgets]);
}

function kick(hub: Hub, tenant: Tenant, userId: string): HttpAnswer {
  const now = hub.clock.now();
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

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json *(?:;|$)/i;
const OTHER_CHARSET = /charset *= *(?!"?utf-?8)/i;

function parseBody(request: HttpRequest): Parsed {
  const { body } = request;
  if (body.length === 0) return parseFilter({}, "body");
  const type = request.headers["content-type"];
  if (type !== undefined && (!JSON_TYPE.test(type) || OTHER_CHARSET.test(type))) {
    return bad(415, { "content-type": ["send the filter as application/json"] });
  }
  if (!isUtf8(body)) return bad(400, { body: ["is not UTF-8"] });
  return parseJson(body.toString(), "body");
}

function parseQuery(query: string): Parsed {
  try {
    // URLSearchParams puts a replacement character for what is not UTF-8, and so would ask for another id.
    decodeURIComponent(query);
  } catch {
    return bad(400, { filter: ["is not URL-encoded UTF-8"] });
  }
  const text = new URLSearchParams(query).get("filter");
  return text === null || text === "" ? parseFilter({}, "filter") : parseJson(text, "filter");
}

function parseJson(text: string, name: string): Parsed {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return bad(400, { [name]: ["is not JSON"] });
  }
  return parseFilter(json, name);
}

/** `name`: what to call the filter as a whole in errors. */
function parseFilter(json: unknown, name: string): Parsed {
  const result = FilterSchema.safeParse(json);
  if (result.success) return { ok: true, filter: new CompiledFilter(result.data satisfies Filter) };
  const reasons: Reasons = {};
  for (const { path, message } of toIssues(result.error)) {
    const [field, ...rest] = path.split(".");
    const where = rest.length > 0 ? `${rest.join(".")}: ` : "";
    const key = field || name;
    reasons[key] ??= [];
    reasons[key].push(where + message);
  }
  return bad(400, reasons);
}

function bad(status: 400 | 415, reasons: Reasons): Parsed {
  return { ok: false, answer: answerError(status, reasons) };
}
