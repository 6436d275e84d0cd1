import { Id } from "../../protocol/ids.ts";
import { idProblem } from "../../protocol/rules.ts";
import type { Credentials } from "../auth/known-tokens.ts";
import type { RefusedToken } from "../auth/token.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import type { AnonymousRequests } from "./anonymous-requests.ts";
import { authorize } from "./authorize.ts";
import { BodyWanted, errorResponse, type HttpRequest, type HttpResponse } from "./exchange.ts";
import { readParameters } from "./query-parameters.ts";
import type { Params, RouteHandler } from "./router.ts";

/** A request with the rights to be handled. */
export interface AppRequest {
  readonly http: HttpRequest;
  readonly params: Params;
  readonly presence: AppPresence;
  readonly credentials: Credentials;
  readonly now: number;
}
export type AppHandler = (request: AppRequest) => HttpResponse | BodyWanted | Promise<HttpResponse>;

/**
 * A body of at most this length is read even while memory is short. It arrived together with its head, so
 * reading it takes no further memory.
 */
const SMALL_BODY_BYTES = 16 * 1024;

/** Finds the app, checks credentials and rate, then calls the handler. */
export function withApp(node: GatewayNode, anonymous: AnonymousRequests, handler: AppHandler): RouteHandler {
  return (request, params) => {
    const presence = node.presence(params.appId ?? "");
    if (presence === undefined) return anonymous.respond(request.address(), unknownApp);
    if (!node.isReady) return errorResponse(503, { node: ["is starting"] }, { "retry-after": "1" });
    const authorized = authorize(presence.app, request.headers.authorization, node.clock.wallNow());
    if (!authorized.ok) {
      const { reason, isTemporary, awaits } = authorized;
      // A later request may find the keys.
      awaits?.request();
      return anonymous.respond(request.address(), () => {
        node.telemetry.refused("unauthenticated", reason);
        if (isTemporary) return errorResponse(503, { authorization: [reason] }, retryAfter(authorized));
        return errorResponse(401, { authorization: [reason] }, { "www-authenticate": "Bearer" });
      });
    }
    request.authorized();
    const now = node.clock.now();
    if (request.isCounted !== true && !presence.takeHttpRequest(now)) {
      node.telemetry.refused("http_rate");
      const retryAfter = Math.max(1, Math.ceil(presence.httpRate.waitMs(now) / 1000));
      return errorResponse(
        429,
        { rate: ["too many requests a second"] },
        { "retry-after": String(retryAfter) },
      );
    }
    return handler({ http: request, params, presence, credentials: authorized, now });
  };
}

function retryAfter({ retryAfterMs = 1_000 }: RefusedToken): Record<string, string> {
  return { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
}

const IDENTITY = /^\s*(?:identity)?\s*$/i;
const CODED_BODY = errorResponse(415, { "content-encoding": ["send the body as it is, not compressed"] });

/** Has the body read, unless memory is short and the body is long. */
export function readBody(
  node: GatewayNode,
  { http, presence }: AppRequest,
  handle: (body: Buffer) => HttpResponse | Promise<HttpResponse>,
  maxBytes?: number,
): HttpResponse | BodyWanted {
  const coding = http.headers["content-encoding"];
  if (coding !== undefined && !IDENTITY.test(coding)) return CODED_BODY;
  if (!node.loadShedder.isShort || http.contentLength <= SMALL_BODY_BYTES) {
    // A reload may have removed the app while the body was read.
    const handleIfServed = (body: Buffer) => (node.serves(presence) ? handle(body) : unknownApp());
    return new BodyWanted(presence.app.id, handleIfServed, maxBytes);
  }
  node.telemetry.refused("memory");
  return errorResponse(503, { body: ["this node is short of memory"] }, { "retry-after": "5" });
}

/**
 * Two forms for what is about one user: with the id in the path, and with `?userId=`. Clients and proxies
 * take `.` and `..` in a path for directories, however they are encoded.
 */
export const USER_PATHS = ["/v1/:appId/users/:userId", "/v1/:appId/users"] as const;

type Handled = HttpResponse | BodyWanted;

/** Calls the handler with the user's id, from the path or from the query. */
export function withUser<Response extends Handled>(
  request: AppRequest,
  handle: (userId: string) => Response,
): Response | HttpResponse {
  return withParameters(request, [], handle);
}

/** The same with more parameters. Those that a request does not have are undefined. */
export function withParameters<Response extends Handled>(
  { http, params }: AppRequest,
  names: readonly string[],
  handle: (userId: string, more: Params) => Response,
): Response | HttpResponse {
  let { userId } = params;
  let more = params;
  if (userId === undefined) {
    const read = readParameters(http.query, ["userId", ...names]);
    if (!read.ok) return errorResponse(400, read.reasons);
    const { parameters } = read;
    userId = parameters.get("userId") ?? "";
    more = Object.fromEntries(names.map((name) => [name, parameters.get(name) ?? undefined]));
  }
  const result = Id.safeParse(userId);
  if (result.success) return handle(result.data, more);
  return errorResponse(400, { userId: [idProblem(userId) ?? "is not valid"] });
}

export function unknownApp(): HttpResponse {
  return errorResponse(404, { appId: ["there is no such app"] });
}
