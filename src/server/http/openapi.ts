import { FilterSchema } from "../../protocol/filter.ts";
import { StatusSchema } from "../../protocol/status.ts";
import { type Json, jsonSchemas } from "./json-schemas.ts";
import { APP_ID, errors, json, ok, parameter, RETRY_AFTER, WITH_BODY } from "./openapi-parts.ts";
import { USER_PATHS } from "./openapi-users.ts";
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
      ...USER_PATHS,
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
            ...errors(401, 429, 503),
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
