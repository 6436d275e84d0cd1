import type { Buffer } from "node:buffer";
import type { BodyListener, BodySink } from "../gateway/body-sink.ts";

/** The longest body that a route accepts, unless the route says otherwise. */
export const MAX_BODY_BYTES = 512 * 1024;

/** The head of a request, the same from both transports. */
export interface HttpRequest {
  /** In capitals. */
  readonly method: string;
  /** Percent-encoded, as it came, without the query. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly headers: RequestHeaders;
  /** Bytes of the body; 0 without one, and infinite where they are known only at its end. */
  readonly contentLength: number;
  /** Whether a header says that a proxy has forwarded the request. */
  readonly isForwarded: boolean;
  /** Whether the rate limit of the app has counted the request, as the first one of a batch. */
  readonly isCounted?: boolean;
  /**
   * The client's address, behind trusted proxies too; empty once the client has gone. It takes a system call,
   * so only routes that need it call it.
   */
  address(): string;
  /** To be called when the request has shown valid credentials. Its connection is trusted from then on. */
  authorized(): void;
}

/** The headers that handlers may read. */
export interface RequestHeaders {
  readonly "accept-encoding": string | undefined;
  readonly authorization: string | undefined;
  readonly "content-encoding": string | undefined;
  readonly "content-type": string | undefined;
  readonly "last-event-id": string | undefined;
  readonly host: string | undefined;
  readonly "x-forwarded-for": string | undefined;
}

/** A text, or bytes that do not change any more. */
export type WholeBody = string | Uint8Array;

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * A whole body; or pieces of a text, taken as fast as the client reads; or a stream that starts after the
   * head.
   */
  readonly body: WholeBody | Iterator<string> | ((sink: BodySink) => BodyListener);
  /**
   * The connection ends after this response, unless a trusted proxy uses it for many. Only for whole bodies.
   */
  readonly closeAfter?: boolean;
}

/**
 * What a handler returns to have the body read, after it has checked credentials and rate. The bytes that
 * `handle` gets are valid until it returns, or until its first `await`.
 */
export class BodyWanted {
  readonly maxBytes: number;
  /** The app that the bytes are charged to while the body is read. */
  readonly owner: string;
  readonly handle: (body: Buffer) => HttpResponse | Promise<HttpResponse>;

  constructor(
    owner: string,
    handle: (body: Buffer) => HttpResponse | Promise<HttpResponse>,
    maxBytes = MAX_BODY_BYTES,
  ) {
    this.owner = owner;
    this.handle = handle;
    this.maxBytes = maxBytes;
  }
}

export type HttpHandler = (request: HttpRequest) => HttpResponse | BodyWanted | Promise<HttpResponse>;

const COMMON = { "x-content-type-options": "nosniff", "cache-control": "no-store" };
const JSON_HEADERS = { ...COMMON, "content-type": "application/json; charset=utf-8" };

export function jsonResponse(status: number, value: unknown, headers?: Record<string, string>): HttpResponse {
  return textResponse(status, JSON.stringify(value), headers);
}

/** A response whose body is JSON already. */
export function textResponse(
  status: number,
  body: WholeBody | Iterator<string>,
  headers?: Record<string, string>,
): HttpResponse {
  return { status, headers: headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers }, body };
}

export function plainResponse(
  status: number,
  contentType: string,
  body: string,
  headers?: Record<string, string>,
): HttpResponse {
  return { status, headers: { ...COMMON, "content-type": contentType, ...headers }, body };
}

/** 429: a limit of a user is reached. It has an error code of its own. */
export function limitReachedResponse(reasons: Reasons): HttpResponse {
  return jsonResponse(429, { errorCode: "LIMIT_REACHED", reasons }, { "retry-after": "1" });
}

/** 413: the body is longer than the route accepts. */
export function tooLargeResponse(maxBytes: number): HttpResponse {
  return errorResponse(413, { body: [`must have at most ${maxBytes} bytes`] });
}

export function isWhole(body: HttpResponse["body"]): body is WholeBody {
  return typeof body === "string" || body instanceof Uint8Array;
}

/** `status` 302: for now, so a browser does not remember it. */
export function redirectResponse(location: string, status: 302 | 308 = 308): HttpResponse {
  return plainResponse(status, "text/plain; charset=utf-8", `see ${location}\n`, { location });
}

export function streamResponse(contentType: string, start: (sink: BodySink) => BodyListener): HttpResponse {
  // x-accel-buffering: without it nginx holds events back until its buffer is full.
  return {
    status: 200,
    headers: { ...COMMON, "content-type": contentType, "x-accel-buffering": "no" },
    body: start,
  };
}

/** The error code in the body, by status. */
const ERROR_CODES = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  408: "REQUEST_TIMEOUT",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  426: "UPGRADE_REQUIRED",
  429: "TOO_MANY_REQUESTS",
  431: "HEADERS_TOO_LARGE",
  500: "INTERNAL_ERROR",
  503: "SERVICE_UNAVAILABLE",
} as const;
export type ErrorStatus = keyof typeof ERROR_CODES;
export type Reasons = Record<string, string[]>;

export function errorResponse(
  status: ErrorStatus,
  reasons: Reasons,
  headers?: Record<string, string>,
): HttpResponse {
  return jsonResponse(status, { errorCode: ERROR_CODES[status], reasons }, headers);
}
