import type { IncomingMessage } from "node:http";
import { errorResponse, type HttpResponse, type RequestHeaders } from "../../http/exchange.ts";
import {
  type HandshakeHeaders,
  MAX_HEADERS,
  type TransportOptions,
  transferCodingError,
} from "../transport.ts";

export const TOO_MANY_HEADERS = errorResponse(431, { headers: [`must be at most ${MAX_HEADERS}`] });
const WRONG_VERSION = errorResponse(400, { request: ["must be HTTP/1.1"] });
const WRONG_HOST = errorResponse(400, { host: ["must be there once"] });
const CHUNKS_IN_1_0 = errorResponse(400, { "transfer-encoding": ["needs HTTP/1.1"] });

type Version = "1.0" | "1.1";

/**
 * The response to a request that a proxy, or uWebSockets.js, might read in another way; undefined if there is
 * none.
 */
export function headError(request: IncomingMessage, versions: readonly Version[]): HttpResponse | undefined {
  const { httpVersion, rawHeaders } = request;
  if (!versions.some((version) => version === httpVersion)) return WRONG_VERSION;
  if (hasTooManyHeaders(request)) return TOO_MANY_HEADERS;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (/^host$/i.test(rawHeaders[i]!)) hosts++;
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0") ? undefined : WRONG_HOST;
}

/** The response to a request whose body comes in a way that is not supported; undefined if it does not. */
export function bodyError({ headers, httpVersion }: IncomingMessage): HttpResponse | undefined {
  const coding = headers["transfer-encoding"];
  return coding !== undefined && httpVersion === "1.0" ? CHUNKS_IN_1_0 : transferCodingError(coding);
}

/** Bytes of the body; infinite if it comes in chunks. */
export function contentLengthOf({ headers }: IncomingMessage): number {
  return headers["transfer-encoding"] === undefined
    ? Number(headers["content-length"] ?? 0)
    : Number.POSITIVE_INFINITY;
}

export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > 2 * MAX_HEADERS;
}

/** The headers that handlers may read. */
export function readHeaders({ headers }: IncomingMessage): RequestHeaders {
  return {
    "accept-encoding": headers["accept-encoding"] as string | undefined,
    authorization: headers.authorization,
    "content-encoding": headers["content-encoding"],
    "content-type": headers["content-type"],
    "last-event-id": headers["last-event-id"] as string | undefined,
    host: headers.host,
    "x-forwarded-for": headers["x-forwarded-for"] as string | undefined,
  };
}

export function readHandshake({ headers }: IncomingMessage): HandshakeHeaders {
  return {
    upgrade: headers.upgrade,
    connection: headers.connection,
    key: headers["sec-websocket-key"],
    version: headers["sec-websocket-version"],
    protocol: headers["sec-websocket-protocol"],
  };
}

/** Path and query, without the question mark. */
export function splitUrl(url: string): [path: string, query: string] {
  const mark = url.indexOf("?");
  return mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
}

/** The client's address. Node joins several lines of X-Forwarded-For. */
export function addressOf(options: TransportOptions, request: IncomingMessage): string {
  const forwardedFor = request.headers["x-forwarded-for"] as string | undefined;
  return options.clientAddress(request.socket.remoteAddress ?? "", forwardedFor);
}
