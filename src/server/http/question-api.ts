import { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { FilterSchema } from "../../protocol/filter.ts";
import { checkUsers } from "../gateway/check-users.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import { KEEPS_NO_LAST_SEEN, lastSeenOf } from "../gateway/last-seen.ts";
import { type AppHandler, type AppRequest, readBody } from "./app-request.ts";
import type { BodyBudget } from "./body-budget.ts";
import { checkAnswer } from "./check-answer.ts";
import { readCheckBody } from "./check-body.ts";
import { CheckTurns } from "./check-turns.ts";
import { type BodyWanted, errorResponse, type HttpResponse, jsonResponse, textResponse } from "./exchange.ts";
import { readJsonBody } from "./json-body.ts";
import { LastSeenRequest } from "./request-bodies.ts";
import type { Route, RouteHandler } from "./router.ts";

/** The longest body of a check: 10,000 ids of 255 characters fit. */
export const MAX_CHECK_BYTES = 4 * 1024 * 1024;

const EVERYONE = FilterSchema.parse({});

/** The routes for what back ends ask about many users at once. */
export function questionRoutes(
  node: GatewayNode,
  bodies: BodyBudget,
  forApp: (handler: AppHandler) => RouteHandler,
): Route[] {
  const { telemetry } = node;
  const refused = () => telemetry.refused("body_bytes");
  const turns = new CheckTurns(bodies, refused, (error) => telemetry.crashed(error));
  return [
    {
      method: "POST",
      path: "/v1/:appId/presences/check",
      handler: forApp((request) => {
        const answer = (body: Buffer) => check(node, request, body);
        const inTurn = (body: Buffer) => turns.run(request.presence.app.id, body, answer);
        return readBody(node, request, inTurn, MAX_CHECK_BYTES);
      }),
    },
    {
      method: "POST",
      path: "/v1/:appId/last-seen",
      handler: forApp((request) => lastSeen(node, request)),
    },
  ];
}

function check(node: GatewayNode, { http, presence }: AppRequest, body: Buffer): HttpResponse {
  const read = readCheckBody(body, http.headers["content-type"]);
  if (!read.ok) return read.response;
  const { ids, filter } = read.value;
  // A back end may ask for everything, and ids need no index.
  const showsInvisible = filter?.includeInvisible === true;
  const compiled = new CompiledFilter({ ...EVERYONE, ...filter }, { showsInvisible });
  const users = checkUsers(presence.table, compiled, ids);
  return textResponse(200, checkAnswer(ids, users, node.isDegraded));
}

function lastSeen(node: GatewayNode, request: AppRequest): HttpResponse | BodyWanted {
  const { http, presence } = request;
  if (!presence.app.keepsLastSeen) return errorResponse(404, { lastSeen: [KEEPS_NO_LAST_SEEN] });
  return readBody(node, request, (body) => {
    const read = readJsonBody(body, http.headers["content-type"], LastSeenRequest);
    if (!read.ok) return read.response;
    return jsonResponse(200, { data: lastSeenOf(presence, read.value.userIds, node.clock.now()) });
  });
}
