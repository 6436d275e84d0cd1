import { AnonymousRequests } from "../../src/server/http/anonymous-requests.ts";
import { BodyWanted, type HttpRequest, type HttpResponse } from "../../src/server/http/exchange.ts";
import type { RouteHandler } from "../../src/server/http/router.ts";

/** Limits that no test reaches. */
export const UNLIMITED = new AnonymousRequests({
  telemetry: undefined as never,
  now: () => 0,
  isProxy: () => true,
});

export type PlainRequest = Omit<HttpRequest, "contentLength" | "isForwarded" | "authorized"> & {
  readonly body: Buffer;
};

/** The response of a router to a request. The body is read as a transport reads it. */
export async function askRouter(handle: RouteHandler, request: PlainRequest): Promise<HttpResponse> {
  const { body, ...head } = request;
  const contentLength = body.length;
  const asked = await handle({ ...head, contentLength, isForwarded: false, authorized: () => {} }, {});
  return asked instanceof BodyWanted ? await asked.handle(body) : asked;
}
