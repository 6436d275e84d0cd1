import FindMyWay, { type HTTPMethod } from "find-my-way";
import type { AnonymousRequests } from "./anonymous-requests.ts";
import { type BodyWanted, errorResponse, type HttpRequest, type HttpResponse } from "./exchange.ts";

export type Params = Readonly<Record<string, string | undefined>>;
export type RouteHandler = (
  request: HttpRequest,
  params: Params,
) => HttpResponse | BodyWanted | Promise<HttpResponse>;

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `:name` for a segment that is a parameter. */
  readonly path: string;
  readonly handler: RouteHandler;
}

const MAX_PARAM_LENGTH = 4_096;
/** No route has a longer path: two parameters, and the text around them. */
const MAX_PATH_LENGTH = 3 * MAX_PARAM_LENGTH;
const NOTHING_HERE =
  "there is nothing at this path: /openapi.json lists what there is, /dashboard/ is the page";
const METHODS = ["DELETE", "GET", "POST", "PUT"] as const;

/** Finds the handler of a request. Both transports use it, so a path means the same on both. */
export function createRouter(routes: readonly Route[], anonymous: AnonymousRequests): RouteHandler {
  const router = FindMyWay({ maxParamLength: MAX_PARAM_LENGTH });
  const handlers = new Map<unknown, RouteHandler>();
  for (const { method, path, handler } of routes) {
    const key = () => {};
    handlers.set(key, handler);
    router.on(method, path, key);
  }

  function find(method: string, path: string): { handler: RouteHandler; params: Params } | undefined {
    // Matching takes time in proportion to the length, and happens before any rate limit.
    if (path.length > MAX_PATH_LENGTH) return undefined;
    const found = router.find(method as HTTPMethod, path);
    const handler = handlers.get(found?.handler);
    return found === null || handler === undefined ? undefined : { handler, params: found.params };
  }

  return (request) => {
    const { path } = request;
    // A HEAD is a GET whose body the transport leaves out.
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = find(method, path);
    if (found !== undefined) return found.handler(request, found.params);
    return anonymous.respond(request.address(), () => noRoute(path));
  };

  function noRoute(path: string): HttpResponse {
    const allowed: string[] = METHODS.filter((each) => find(each, path) !== undefined);
    if (allowed.length === 0) return errorResponse(404, { path: [NOTHING_HERE] });
    if (allowed.includes("GET")) allowed.push("HEAD");
    const allow = allowed.sort().join(", ");
    return errorResponse(405, { method: [`use ${allow}`] }, { allow });
  }
}
