import { setImmediate as nextTurn } from "node:timers/promises";
import type { z } from "zod";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import { type AppHandler, type AppRequest, readBody } from "./app-request.ts";
import { BodyWanted, errorResponse, type HttpRequest, type HttpResponse, textResponse } from "./exchange.ts";
import { readJsonBody } from "./json-body.ts";
import { Batch } from "./request-bodies.ts";
import type { Route, RouteHandler } from "./router.ts";

type Operation = z.output<typeof Batch>[number];

/** An answer of this length has room whatever the answers before it were. */
const ALWAYS_FITS_CHARS = 4_096;
const TOO_LONG = errorResponse(413, { batch: ["the answers are too long together: ask for this one alone"] });

/** What no route of a batch reads. */
const NO_HEADERS: HttpRequest["headers"] = {
  "accept-encoding": undefined,
  authorization: undefined,
  "content-encoding": undefined,
  "content-type": undefined,
  "last-event-id": undefined,
  host: undefined,
  "x-forwarded-for": undefined,
};

/**
 * The route that runs several requests of an app one after another. `handle`: the routes that may be in it.
 */
export function batchRoute(
  node: GatewayNode,
  forApp: (handler: AppHandler) => RouteHandler,
  handle: RouteHandler,
): Route {
  return {
    method: "POST",
    path: "/v1/:appId/batch",
    handler: forApp((request) => readBody(node, request, (body) => runBatch(node, request, body, handle))),
  };
}

async function runBatch(
  node: GatewayNode,
  request: AppRequest,
  body: Buffer,
  handle: RouteHandler,
): Promise<HttpResponse> {
  const read = readJsonBody(body, request.http.headers["content-type"], Batch);
  if (!read.ok) return read.response;
  let room = node.limits.maxBufferedBytes;
  const answers: string[] = [];
  for (const [i, operation] of read.value.entries()) {
    const [seq] = operation;
    // The batch itself was counted for the rate limit, and stands for its first request.
    const response = await respond(requestOf(request, operation, i === 0), operation, handle);
    let text = await textOf(response, Math.max(room, ALWAYS_FITS_CHARS));
    let { status } = response;
    if (text === undefined) {
      ({ status } = TOO_LONG);
      text = String(TOO_LONG.body);
    }
    room -= text.length;
    answers.push(`[${JSON.stringify(seq)},${status},${text}]`);
  }
  return textResponse(200, `[${answers.join(",")}]`);
}

/** The request of an operation as a transport would hand it over. Its path is below that of the app. */
function requestOf(
  { http, presence }: AppRequest,
  [, method, target, body]: Operation,
  isCounted: boolean,
): HttpRequest {
  // A path that does not begin with /, and a fragment, would lead elsewhere. No route has this path instead.
  const [path = "", ...query] = /^\/[^#]*$/.test(target) ? target.split("?") : ["//"];
  return {
    method,
    path: `/v1/${encodeURIComponent(presence.app.id)}${path}`,
    query: query.join("?"),
    headers: {
      ...NO_HEADERS,
      authorization: http.headers.authorization,
      "content-type": "application/json",
    },
    contentLength: body === undefined ? 0 : http.contentLength,
    isForwarded: http.isForwarded,
    isCounted,
    address: () => http.address(),
    authorized: () => {},
  };
}

async function respond(
  request: HttpRequest,
  [, , , body]: Operation,
  handle: RouteHandler,
): Promise<HttpResponse> {
  const handled = await handle(request, {});
  if (!(handled instanceof BodyWanted)) return handled;
  const bytes = Buffer.from(JSON.stringify(body ?? {}));
  // In a batch a body is counted with the others.
  return await handled.handle(bytes);
}

/** The body of a response; undefined if it has more than `maxChars` UTF-16 units. */
async function textOf({ body }: HttpResponse, maxChars: number): Promise<string | undefined> {
  if (typeof body === "string") return body.length > maxChars ? undefined : body;
  if (typeof body === "function") return undefined;
  if (body instanceof Uint8Array) return body.length > maxChars ? undefined : Buffer.from(body).toString();
  const pieces: string[] = [];
  let length = 0;
  for (let piece = body.next(); !piece.done; piece = body.next()) {
    pieces.push(piece.value);
    length += piece.value.length;
    if (length > maxChars) return undefined;
    await nextTurn();
  }
  return pieces.join("");
}
