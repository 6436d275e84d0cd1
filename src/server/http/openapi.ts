import { FilterSchema } from "../../protocol/filter.ts";
import { ID_META } from "../../protocol/ids.ts";
import { StatusSchema } from "../../protocol/status.ts";
import { type Json, jsonSchemas } from "./json-schemas.ts";
import { Batch, Check, LastSeenRequest, SessionWrite } from "./request-bodies.ts";
import {
  BatchResponses,
  CheckedUsers,
  Ended,
  Erased,
  ErrorBody,
  Health,
  LastSeenUsers,
  NodeDescription,
  Presence,
  PresenceSession,
  Presences,
  Stats,
  UserCount,
  UserSessions,
  UserStatus,
  WebhookStats,
  WrittenSession,
} from "./schemas.ts";
import {
  WebhookAnswerSchema,
  WebhookCount,
  WebhookDiff,
  WebhookMessageSchema,
  WebhookSnapshot,
} from "./webhook-messages.ts";

const SCHEMAS = {
  Filter: FilterSchema,
  Presence,
  PresenceSession,
  Presences,
  UserCount,
  Check,
  CheckedUsers,
  LastSeenRequest,
  LastSeenUsers,
  UserSessions,
  Status: StatusSchema,
  UserStatus,
  SessionWrite,
  WrittenSession,
  Batch,
  BatchResponses,
  Stats,
  WebhookStats,
  NodeDescription,
  Ended,
  Erased,
  Health,
  Error: ErrorBody,
  WebhookMessage: WebhookMessageSchema,
  WebhookSnapshot,
  WebhookDiff,
  WebhookCount,
  WebhookAnswer: WebhookAnswerSchema,
};

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (name: string): Json => ({ "application/json": { schema: ref(name) } });
const ok = (name: string, description: string): Json => ({ 200: { description, content: json(name) } });

const RETRY_AFTER = { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } } };

function errors(...statuses: number[]): Json {
  const descriptions: Record<number, string> = {
    400: "Bad input; `reasons` says what is wrong, by field.",
    401: "No valid credentials.",
    403: "Pages of this origin may not connect.",
    404: "Unknown app or path.",
    413: "The body is over 512 KiB, or over 4 MiB for a check.",
    415: "The body is not JSON.",
    429: "Too many requests or connections; with `LIMIT_REACHED`, the user has all that a user may have.",
    426: "The request did not ask for a WebSocket.",
    431: "The headers are too large, or too many.",
    503: "The node is full, short of memory, starting or draining.",
  };
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: descriptions[status],
        content: json("Error"),
        ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
      },
    ]),
  );
}

function parameter(
  name: string,
  place: "path" | "query" | "header",
  description: string,
  rules: Json = ID_META,
): Json {
  return { name, in: place, required: place === "path", description, schema: { type: "string", ...rules } };
}

const APP_ID = parameter("appId", "path", "The app.");
const USER_ID = parameter(
  "userId",
  "path",
  "The user, percent-encoded. Clients and proxies take `.` and `..` for directories: put them into the query.",
);
const QUERY_USER_ID: Json = {
  ...parameter("userId", "query", "The user, percent-encoded; any id, also `.` and `..`."),
  required: true,
  schema: USER_ID.schema,
};

const KEY_RULES: Json = { pattern: "^[A-Za-z0-9_-]{1,64}$" };
const KEY = parameter("key", "path", "Names the session, among those of the user.", KEY_RULES);
const QUERY_KEY = parameter("key", "query", "Names a session that is written over HTTP.", KEY_RULES);

const NO_BODY = [400, 401, 404, 429];
const WITH_BODY = [400, 401, 404, 413, 415, 429, 503];

/** What the gateway sends to the receivers of the app's `webhooks`. */
function webhook(): Json {
  return {
    post: {
      operationId: "receivePresence",
      summary: "Keeps a copy of a filter's result right at the receiver, signed as Standard Webhooks says.",
      security: [],
      parameters: [
        parameter("webhook-id", "header", "Names the message. A retry has the same one.", {}),
        parameter("webhook-timestamp", "header", "When the attempt was made, in seconds since 1970.", {}),
        parameter("webhook-signature", "header", "`v1,…`, one for each secret, with spaces between.", {}),
      ],
      requestBody: { required: true, content: json("WebhookMessage") },
      responses: {
        "2XX": { description: "Accepted. A body may ask for a snapshot.", content: json("WebhookAnswer") },
        410: { description: "Switches the webhook off until the next start or reload." },
        default: { description: "Not accepted: the same message is sent again." },
      },
    },
  };
}

/** The operations on one user, whose id is in the path or in the query. */
function userPaths(path: string, user: Json): Record<string, Json> {
  const parameters = [APP_ID, user];
  const isQuery = user.in === "query";
  return {
    [path]: {
      delete: {
        operationId: isQuery ? "eraseUserByQuery" : "eraseUser",
        summary: "Ends all sessions of a user, and forgets status and last seen, on all nodes.",
        parameters,
        responses: { ...ok("Erased", "It is done."), ...errors(...NO_BODY) },
      },
    },
    [`${path}/sessions`]: {
      get: {
        operationId: isQuery ? "listSessionsOfUser" : "listUserSessions",
        summary: "The sessions of a user; none if the user is invisible.",
        parameters,
        responses: { ...ok("UserSessions", "The sessions."), ...errors(...NO_BODY) },
      },
      delete: {
        operationId: isQuery ? "endSessionsOfUser" : "endUserSessions",
        summary: isQuery
          ? "Ends all sessions of a user, cause `kicked`; with `key` only that one, cause `closed`."
          : "Ends all sessions of a user, cause `kicked`.",
        parameters: isQuery ? [...parameters, QUERY_KEY] : parameters,
        responses: { ...ok("Ended", "How many were ended."), ...errors(...NO_BODY) },
      },
      ...(isQuery && {
        put: writeSession("writeSessionOfUser", [...parameters, { ...QUERY_KEY, required: true }]),
      }),
    },
    [`${path}/status`]: {
      get: {
        operationId: isQuery ? "getStatusOfUser" : "getUserStatus",
        summary: "What a user has declared.",
        parameters,
        responses: { ...ok("UserStatus", "The status."), ...errors(...NO_BODY) },
      },
      put: {
        operationId: isQuery ? "setStatusOfUser" : "setUserStatus",
        summary: "Declares the whole status of a user.",
        parameters,
        requestBody: { description: "What is absent is the default again.", content: json("Status") },
        responses: { ...ok("UserStatus", "The status now."), ...errors(...WITH_BODY) },
      },
      delete: {
        operationId: isQuery ? "resetStatusOfUser" : "resetUserStatus",
        summary: "Makes the status of a user the default again.",
        parameters,
        responses: { ...ok("UserStatus", "The status now."), ...errors(...NO_BODY) },
      },
    },
  };
}

function writeSession(operationId: string, parameters: readonly Json[]): Json {
  return {
    operationId,
    summary: "Opens or patches a session without a socket, and restarts its life.",
    parameters,
    requestBody: { description: "`{}` or nothing restarts the life only.", content: json("SessionWrite") },
    responses: { ...ok("WrittenSession", "The session."), ...errors(...WITH_BODY) },
  };
}

/** The HTTP interface as OpenAPI 3.1, from the schemas that check its requests and answers. */
export function openApiDocument(version: string): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "presence-gateway",
      version,
      description: "Who is online, looking and typing, and in which conversation.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "The node that has sent this document." }],
    security: [{ app: [] }],
    paths: {
      "/v1/{appId}/presences": {
        post: {
          operationId: "queryPresences",
          summary: "The users that a filter matches, now.",
          parameters: [APP_ID],
          requestBody: {
            description: "A filter; `{}` or nothing asks for everyone with a visible widget.",
            content: json("Filter"),
          },
          responses: { ...ok("Presences", "The result."), ...errors(400, 401, 404, 413, 415, 429, 503) },
        },
      },
      "/v1/{appId}/presences/stream": {
        get: {
          operationId: "streamPresences",
          summary: "The users that a filter matches, live, as server-sent events.",
          parameters: [
            APP_ID,
            parameter("filter", "query", "A filter as URL-encoded JSON.", { pattern: "^\\s*\\{" }),
            parameter("count", "query", "Whether only the number of users is sent.", {
              pattern: "^(?:true|false)$",
            }),
            parameter(
              "Last-Event-ID",
              "header",
              "The id of the last event that was seen, to go on from there.",
              { pattern: ":\\d+$" },
            ),
          ],
          responses: {
            200: {
              description:
                "`event: snapshot` (in pages while `more` is true), then `event: diff`; with `count=true` `event: count`. `id` is `<view>:<version>`.",
              content: { "text/event-stream": { schema: { type: "string" } } },
            },
            ...errors(400, 401, 404, 429, 503),
          },
        },
      },
      "/v1/{appId}/presences/count": {
        post: {
          operationId: "countPresences",
          summary: "How many users a filter matches, now.",
          parameters: [APP_ID],
          requestBody: {
            description: "A filter; `{}` or nothing counts everyone with a visible widget.",
            content: json("Filter"),
          },
          responses: { ...ok("UserCount", "The number."), ...errors(...WITH_BODY) },
        },
      },
      "/v1/{appId}/presences/check": {
        post: {
          operationId: "checkPresences",
          summary:
            "Which of up to 10,000 users are in the result of a filter, and who is to be notified instead.",
          parameters: [APP_ID],
          requestBody: { required: true, content: json("Check") },
          responses: { ...ok("CheckedUsers", "Who is present, and who is not."), ...errors(...WITH_BODY) },
        },
      },
      "/v1/{appId}/last-seen": {
        post: {
          operationId: "getLastSeen",
          summary: "When users were last seen. 404 for apps without `lastSeen`.",
          parameters: [APP_ID],
          requestBody: { required: true, content: json("LastSeenRequest") },
          responses: { ...ok("LastSeenUsers", "What is known."), ...errors(...WITH_BODY) },
        },
      },
      "/v1/{appId}/batch": {
        post: {
          operationId: "runBatch",
          summary: "Up to 10 requests of the app, run one after another. Each counts for the rate limit.",
          parameters: [APP_ID],
          requestBody: { required: true, content: json("Batch") },
          responses: { ...ok("BatchResponses", "The responses."), ...errors(...WITH_BODY) },
        },
      },
      ...userPaths("/v1/{appId}/users/{userId}", USER_ID),
      ...userPaths("/v1/{appId}/users", QUERY_USER_ID),
      "/v1/{appId}/users/{userId}/sessions/{key}": {
        put: writeSession("writeUserSession", [APP_ID, USER_ID, KEY]),
        delete: {
          operationId: "endUserSession",
          summary: "Ends a session that was written over HTTP, cause `closed`.",
          parameters: [APP_ID, USER_ID, KEY],
          responses: { ...ok("Ended", "1, or 0 if there was none."), ...errors(...NO_BODY) },
        },
      },
      "/v1/{appId}/stats": {
        get: {
          operationId: "getStats",
          summary: "Counts of an app.",
          parameters: [APP_ID],
          responses: { ...ok("Stats", "The counts."), ...errors(401, 404, 429) },
        },
      },
      "/v1/{appId}/node": {
        get: {
          operationId: "describeNode",
          summary: "How the node that answers is doing.",
          parameters: [APP_ID],
          responses: { ...ok("NodeDescription", "The node."), ...errors(401, 404, 429) },
        },
      },
      "/v1/{appId}/realtime": {
        get: {
          operationId: "openRealtime",
          summary: "The WebSocket, subprotocol `presence.v1`; its token comes in the first message.",
          security: [],
          parameters: [APP_ID],
          responses: {
            101: { description: "The socket is open. `/asyncapi.json` describes its messages." },
            ...errors(400, 403, 404, 426, 429, 503),
            default: { description: "Any other error.", content: json("Error") },
          },
        },
      },
      "/metrics": {
        get: {
          operationId: "getMetrics",
          summary: "Metrics of the node, for Prometheus.",
          description:
            "With METRICS_TOKEN set it needs that bearer token; " +
            "without it only programs on this machine that ask localhost get them.",
          security: [{ metrics: [] }, {}],
          responses: {
            200: { description: "The metrics.", content: { "text/plain": { schema: { type: "string" } } } },
            ...errors(401, 429),
          },
        },
      },
      "/openapi.json": {
        get: {
          operationId: "getOpenApi",
          summary: "This document.",
          security: [],
          responses: {
            200: {
              description: "OpenAPI 3.1.",
              content: { "application/json": { schema: { type: "object" } } },
            },
            ...errors(429),
          },
        },
      },
      "/asyncapi.json": {
        get: {
          operationId: "getAsyncApi",
          summary: "The messages of the WebSocket, as AsyncAPI.",
          security: [],
          responses: {
            200: {
              description: "AsyncAPI 3.0.",
              content: { "application/json": { schema: { type: "object" } } },
            },
            ...errors(429),
          },
        },
      },
      "/dashboard": {
        get: {
          operationId: "getDashboard",
          summary: "The live page.",
          security: [],
          responses: {
            308: { description: "The page is at the same path with a slash at its end." },
            200: { description: "The page.", content: { "text/html": { schema: { type: "string" } } } },
            ...errors(429),
          },
        },
      },
      "/healthz": {
        get: {
          operationId: "getHealth",
          summary: "Alive?",
          security: [],
          responses: { ...ok("Health", "Alive."), ...errors(431) },
        },
      },
      "/readyz": {
        get: {
          operationId: "getReadiness",
          summary: "Ready for traffic?",
          security: [],
          responses: {
            ...ok(
              "Health",
              "Ready; the status is `low_memory` while memory is short and nobody new is let in, " +
                "and `degraded` while other nodes' sessions may be old.",
            ),
            ...errors(431),
            503: { description: "Starting or draining.", content: json("Health"), headers: RETRY_AFTER },
          },
        },
      },
    },
    webhooks: { presence: webhook() },
    components: {
      schemas: jsonSchemas(SCHEMAS),
      securitySchemes: {
        app: { type: "http", scheme: "bearer", description: "An app secret, or an app token (JWT, HS256)." },
        metrics: { type: "http", scheme: "bearer", description: "The METRICS_TOKEN of the node." },
      },
    },
  };
}
