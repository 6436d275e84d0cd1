import { SUBPROTOCOL } from "../../protocol/wire.ts";
import type {
  Socket,
  SocketListener,
  UpgradeAnswer,
  UpgradeRefusal,
  UpgradeRequest,
} from "../gateway/socket.ts";
import type { TcpRefusal, TcpSlots } from "../gateway/tcp-slots.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import { errorResponse, type HttpHandler, type HttpResponse } from "../http/exchange.ts";

/**
 * A client that takes nothing of a response for this long, or sends nothing of a request, is disconnected.
 */
export const HTTP_STALL_MS = 10_000;

/** The most bytes of a request's line and headers: the URL of an event stream may name a thousand ids. */
export const MAX_HEADER_BYTES = 64 * 1024;

/**
 * The most headers of a request. More are refused here, because each library would treat them in its own way.
 */
export const MAX_HEADERS = 100;

/**
 * A body that is too large is still read to its end if it is no longer than this, and thrown away: a client
 * that is cut off while it sends sees a broken connection, and not the response.
 */
export const MAX_SKIPPED_BYTES = 16 * 1024 * 1024;

/** Each piece of such a body counts as at least so many bytes: chunks may have one byte each. */
const MIN_SKIPPED_BYTES = 64;

/** The bytes of a body that is thrown away as it comes, for its response to be heard. */
export class SkippedBody {
  #skipped = 0;

  /** Throws away a piece. False: it is enough, and the connection ends. */
  skip(bytes: number): boolean {
    this.#skipped += Math.max(bytes, MIN_SKIPPED_BYTES);
    return this.#skipped <= MAX_SKIPPED_BYTES;
  }
}

/**
 * The response to a body in another transfer coding than `chunked`, or in more than one; undefined if there
 * is none. `coding`: the Transfer-Encoding header, with commas between several lines.
 */
export function transferCodingError(coding: string | undefined): HttpResponse | undefined {
  return coding === undefined || CHUNKED.test(coding) ? undefined : OTHER_CODING;
}

const CHUNKED = /^chunked$/i;
const OTHER_CODING = errorResponse(400, { "transfer-encoding": ["must be chunked, or absent"] });

/**
 * Requests that may wait on one connection for the response to an earlier one, or be answered in one turn of
 * the event loop at least. A client that sends more ahead is cut off.
 */
export const MAX_PIPELINED = 64;

/** The number of pieces of a long response that are made before other requests are served. */
export const PIECES_PER_TURN = 4;

/** What a transport needs. It translates bytes and calls; every decision is made behind these functions. */
export interface TransportOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Other processes of this gateway listen on the same port, and the system gives each connection to one. */
  readonly sharesPort?: boolean;
  readonly maxMessageBytes: number;
  readonly maxBufferedBytes: number;
  /** Slots for TCP connections of every kind. A connection without a slot is closed when it arrives. */
  readonly tcp: TcpSlots;
  /** The limit for bytes of unfinished bodies. */
  readonly bodies: BodyBudget;
  readonly upgrade: (request: UpgradeRequest) => UpgradeAnswer;
  readonly handle: HttpHandler;
  /** The client's address, from that of the peer and its X-Forwarded-For. */
  readonly clientAddress: (peer: string, forwardedFor: string | undefined) => string;
  /** A TCP connection was closed because there are too many: of all clients, or of its address. */
  readonly tcpRefused: (refusal: TcpRefusal) => void;
  /** A body was not read to its end because unfinished bodies hold too many bytes. */
  readonly bodyRefused: () => void;
  /**
   * The response to a handshake of this address that is not let in, or another if it has made too many such
   * requests.
   */
  readonly refuseHandshake: (address: string, reply: HttpResponse) => HttpResponse;
  /** A handler threw. */
  readonly crashed: (error: unknown) => void;
}

export interface Transport {
  readonly name: "ws" | "uws";
  readonly port: number;
  /**
   * Accepts no new TCP connection and ends the idle ones; resolves when every request in hand has its
   * response. May be called again.
   */
  close(): Promise<void>;
}

export type Accept = (socket: Socket) => SocketListener;

/**
 * The app id in the path of an upgrade, or undefined if the path is not one for WebSockets. As the router
 * reads it.
 */
export function realtimeAppId(path: string): string | undefined {
  const plain = PLAIN_REALTIME.exec(path);
  if (plain !== null) return plain[1];
  // One more than it may have: to cut tens of thousands takes milliseconds.
  const segments = path.split("/", 5);
  if (segments.length !== 4) return undefined;
  try {
    const [root, version, appId, name] = segments.map(decodeURIComponent);
    return root === "" && version === "v1" && name === "realtime" && appId !== "" ? appId : undefined;
  } catch {
    return undefined;
  }
}

/** A path without anything to decode, as nearly all clients send it. */
const PLAIN_REALTIME = /^\/v1\/([^/%]+)\/realtime$/;

/** The response to a body while unfinished bodies hold too many bytes. */
export const BODIES_FULL = errorResponse(
  503,
  { body: ["too many bodies are being read"] },
  { "retry-after": "1" },
);

/** The response to an upgrade at a path without WebSockets. */
export const NO_SUCH_PATH = errorResponse(404, { path: ["there is nothing for WebSockets at this path"] });

/** The response to an upgrade that the gateway refuses. */
export function refusalResponse({ status, message, retryAfterS }: UpgradeRefusal): HttpResponse {
  const headers = retryAfterS === undefined ? undefined : { "retry-after": String(retryAfterS) };
  return errorResponse(status, { upgrade: [message] }, headers);
}

/** Headers by which proxies and CDNs name the client, beside all that begin with x-forwarded. */
const FORWARDING_HEADERS: ReadonlySet<string> = new Set([
  "cdn-loop",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-ray",
  "client-ip",
  "do-connecting-ip",
  "fastly-client-ip",
  "fly-client-ip",
  "forwarded",
  "proxy-client-ip",
  "true-client-ip",
  "via",
  "wl-proxy-client-ip",
  "x-amzn-trace-id",
  "x-appengine-user-ip",
  "x-azure-clientip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-envoy-external-address",
  "x-original-forwarded-for",
  "x-original-host",
  "x-original-url",
  "x-proxyuser-ip",
  "x-real-ip",
  "x-remote-addr",
  "x-remote-ip",
  "x-rewrite-url",
  "x-varnish",
]);

/** Whether a header of this name, in lower case, says that a proxy has forwarded the request. */
export function isForwardingHeader(name: string): boolean {
  return FORWARDING_HEADERS.has(name) || name.startsWith("x-forwarded");
}

/** The headers of a handshake: undefined where there is none, with commas between where there are several. */
export interface HandshakeHeaders {
  readonly upgrade: string | undefined;
  readonly connection: string | undefined;
  readonly key: string | undefined;
  readonly version: string | undefined;
  readonly protocol: string | undefined;
}

/** Whether a GET asks for a WebSocket, as a proxy would read it. If not, it is an ordinary request. */
export function isWebSocketRequest({ upgrade = "", connection = "", key = "" }: HandshakeHeaders): boolean {
  return /^websocket$/i.test(upgrade) && UPGRADE.test(connection) && /^[+/\dA-Za-z]{22}==$/.test(key);
}

/** `upgrade` in a list. The list may be long, so it is not split. */
const UPGRADE = /(?:^|,)\s*upgrade\s*(?:,|$)/i;

/** No client offers nearly as many. Splitting a list of tens of thousands takes milliseconds. */
const MAX_PROTOCOLS_LENGTH = 4_096;

/** The response to a request for a WebSocket that cannot be one; undefined if it can. */
export function handshakeError({ version, protocol }: HandshakeHeaders): HttpResponse | undefined {
  if (version !== "13") {
    return errorResponse(426, { "sec-websocket-version": ["must be 13"] }, { "sec-websocket-version": "13" });
  }
  if (protocol === undefined) return undefined;
  if (protocol.length > MAX_PROTOCOLS_LENGTH) {
    return errorResponse(400, {
      "sec-websocket-protocol": [`must have at most ${MAX_PROTOCOLS_LENGTH} characters`],
    });
  }
  const offered = listOf(protocol);
  if (new Set(offered).size === offered.length && offered.every((each) => TOKEN.test(each))) return undefined;
  return errorResponse(400, { "sec-websocket-protocol": ["must be a list of names, each of them once"] });
}

/** A token, as HTTP defines it: the name of a method, a header or a subprotocol. */
export const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** Whether a Sec-WebSocket-Protocol header offers our subprotocol. */
export function offersSubprotocol({ protocol }: HandshakeHeaders): boolean {
  return protocol !== undefined && listOf(protocol).includes(SUBPROTOCOL);
}

function listOf(header: string): string[] {
  return header.split(",").map((each) => each.trim());
}
