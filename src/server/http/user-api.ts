import { TYPING_BIT, VISIBLE_BIT } from "../../core/sessions/session.ts";
import { StatusSchema } from "../../protocol/status.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import { endHttpSession, writeHttpSession } from "../gateway/http-sessions.ts";
import { describeStatus } from "../gateway/profiles.ts";
import {
  type AppHandler,
  type AppRequest,
  readBody,
  USER_PATHS,
  withParameters,
  withUser,
} from "./app-request.ts";
import {
  type BodyWanted,
  errorResponse,
  type HttpResponse,
  jsonResponse,
  limitReachedResponse,
} from "./exchange.ts";
import { readJsonBody } from "./json-body.ts";
import { SessionWrite } from "./request-bodies.ts";
import type { Route, RouteHandler } from "./router.ts";

/** The routes about one user. `forApp` gives handlers the requests that have the rights. */
export function userRoutes(node: GatewayNode, forApp: (handler: AppHandler) => RouteHandler): Route[] {
  const [inPath] = USER_PATHS;
  return [
    ...USER_PATHS.flatMap((path): Route[] => [
      { method: "DELETE", path, handler: forApp(erase) },
      { method: "GET", path: `${path}/sessions`, handler: forApp(listSessions) },
      { method: "GET", path: `${path}/status`, handler: forApp(status) },
      { method: "PUT", path: `${path}/status`, handler: forApp((request) => setStatus(node, request)) },
      { method: "DELETE", path: `${path}/status`, handler: forApp(resetStatus) },
    ]),
    { method: "DELETE", path: `${inPath}/sessions`, handler: forApp(endSessions) },
    {
      method: "PUT",
      path: `${inPath}/sessions/:key`,
      handler: forApp((request) => writeSession(node, request)),
    },
    { method: "DELETE", path: `${inPath}/sessions/:key`, handler: forApp(endSession) },
    // With the user in the query, the key stands there too. As a part of the path it could not be told from
    // the routes of a user who is called `sessions`.
    {
      method: "PUT",
      path: "/v1/:appId/users/sessions",
      handler: forApp((request) => writeSession(node, request)),
    },
    { method: "DELETE", path: "/v1/:appId/users/sessions", handler: forApp(endSessionOrSessions) },
  ];
}

function listSessions(request: AppRequest): HttpResponse {
  return withUser(request, (userId) => {
    const background = [];
    const widgets = [];
    const user = request.presence.table.user(userId);
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
  });
}

function endSessions(request: AppRequest): HttpResponse {
  return withUser(request, (userId) => endAll(request, userId));
}

function endAll({ presence, now }: AppRequest, userId: string): HttpResponse {
  return jsonResponse(200, { ended: presence.transact(now, (sessions) => sessions.forceEndAll(userId)) });
}

function erase(request: AppRequest): HttpResponse {
  const { presence, now } = request;
  return withUser(request, (userId) => {
    const ended = presence.transact(now, (sessions) => sessions.erase(userId));
    return jsonResponse(200, { ended, erased: true });
  });
}

// Status

function status(request: AppRequest): HttpResponse {
  return withUser(request, (userId) => statusResponse(request, userId));
}

function setStatus(node: GatewayNode, request: AppRequest): HttpResponse | BodyWanted {
  const { http, presence } = request;
  return withUser(request, (userId) =>
    readBody(node, request, (body) => {
      const read = readJsonBody(body, http.headers["content-type"], StatusSchema);
      if (!read.ok) return read.response;
      presence.transact(node.clock.now(), ({ profiles }) => profiles.replaceStatus(userId, read.value));
      return statusResponse(request, userId);
    }),
  );
}

function resetStatus(request: AppRequest): HttpResponse {
  return withUser(request, (userId) => {
    request.presence.transact(request.now, ({ profiles }) => profiles.resetStatus(userId));
    return statusResponse(request, userId);
  });
}

function statusResponse({ presence, now }: AppRequest, userId: string): HttpResponse {
  const declared = presence.transact(now, ({ profiles }) => profiles.statusOf(userId));
  return jsonResponse(200, { data: describeStatus(declared) });
}

// Sessions that are written over HTTP

const KEY = /^[\w-]{1,64}$/;

function withKey<Response extends HttpResponse | BodyWanted>(
  request: AppRequest,
  handle: (userId: string, key: string) => Response,
): Response | HttpResponse {
  return withParameters(request, ["key"], (userId, { key }) => {
    if (key !== undefined && KEY.test(key)) return handle(userId, key);
    return errorResponse(400, { key: ["must be 1 to 64 of A-Z a-z 0-9 _ -"] });
  });
}

function writeSession(node: GatewayNode, request: AppRequest): HttpResponse | BodyWanted {
  const { http, presence } = request;
  return withKey(request, (userId, key) =>
    readBody(node, request, (body) => {
      const read = readJsonBody(body, http.headers["content-type"], SessionWrite);
      if (!read.ok) return read.response;
      const result = writeHttpSession(presence, userId, key, read.value, node.clock.now());
      if (result.ok) {
        const { sessionId, isNew: created, ttlMs } = result;
        const expiresAt = Math.floor(node.clock.wallNow()) + ttlMs;
        return jsonResponse(200, { data: { sessionId, expiresAt, created } });
      }
      const { isLimit, field, message } = result;
      if (!isLimit) return errorResponse(400, { [field]: [message] });
      node.telemetry.refused("limit_reached");
      return limitReachedResponse({ [field]: [message] });
    }),
  );
}

function endSession(request: AppRequest): HttpResponse {
  const { presence, now } = request;
  return withKey(request, (userId, key) =>
    jsonResponse(200, { ended: endHttpSession(presence, userId, key, now) ? 1 : 0 }),
  );
}

function endSessionOrSessions(request: AppRequest): HttpResponse {
  return new URLSearchParams(request.http.query).has("key") ? endSession(request) : endSessions(request);
}
