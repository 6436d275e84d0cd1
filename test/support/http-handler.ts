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

const NO_HEADERS: HttpRequest["headers"] = {
  "accept-encoding": undefined,
  authorization: undefined,
  "content-encoding": undefined,
  "content-type": undefined,
  "last-event-id": undefined,
  host: undefined,
  "x-forwarded-for": undefined,
};

/** A request as a transport hands it over; what is not given is what a plain GET of `/` has. */
export function requestOf({
  headers,
  ...fields
}: Partial<Omit<HttpRequest, "headers">> & {
  readonly headers?: Partial<HttpRequest["headers"]>;
} = {}): HttpRequest {
  return {
    method: "GET",
    path: "/",
    query: "",
    contentLength: 0,
    isForwarded: false,
    address: () => "192.0.2.1",
    authorized: () => {},
    ...fields,
    headers: { ...NO_HEADERS, ...headers },
  };
}

/** The whole body of a response, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at bodies of every shape
export function jsonOf({ body }: HttpResponse): any {
  return JSON.parse(String(body));
}
