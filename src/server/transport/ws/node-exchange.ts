import type { IncomingMessage, ServerResponse } from "node:http";
import {
  BodyWanted,
  type HttpRequest,
  type HttpResponse,
  isWhole,
  type RequestHeaders,
  tooLargeResponse,
} from "../../http/exchange.ts";
import {
  BODIES_FULL,
  isForwardingHeader,
  MAX_SKIPPED_BYTES,
  SkippedBody,
  type TransportOptions,
} from "../transport.ts";
import { readBody } from "./node-body.ts";
import { addressOf, bodyError, contentLengthOf, headError, readHeaders, splitUrl } from "./node-head.ts";
import { sendResponse } from "./node-response.ts";

/** A request as node:http hands it over. */
export interface NodeRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for "100 Continue" before it sends the body. */
  readonly expectsContinue: boolean;
}

/** The connection of an exchange. */
export interface ExchangeConnection {
  /** The address at the other end. */
  readonly peer: string;
  /** A request over it has shown valid credentials. */
  authorized(): void;
  /** Drops all requests that wait, and all that follow: the connection ends with the response under way. */
  endRequests(): void;
}

/**
 * Responds to one request. A request that must end the connection does so before anything is awaited, so that
 * no other request of the same packet is handled.
 */
export async function serveNodeRequest(
  options: TransportOptions,
  connection: ExchangeConnection,
  incoming: NodeRequest,
): Promise<void> {
  const { request, response } = incoming;
  const refusal = headError(request, ["1.1", "1.0"]) ?? bodyError(request);
  if (refusal === undefined) await new NodeExchange(options, connection, incoming).serve();
  else await respond(connection, refusal, request, response, true);
}

/** One request, until its response is sent or its client has gone. */
class NodeExchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: RequestHeaders;
  readonly contentLength: number;
  readonly #options: TransportOptions;
  readonly #connection: ExchangeConnection;
  readonly #incoming: NodeRequest;
  /** Bytes of the body that are still to come. */
  #unread: number;
  #isAuthorized = false;

  constructor(options: TransportOptions, connection: ExchangeConnection, incoming: NodeRequest) {
    const { request } = incoming;
    const [path, query] = splitUrl(request.url ?? "");
    this.method = request.method ?? "";
    this.path = path;
    this.query = query;
    this.headers = readHeaders(request);
    this.contentLength = contentLengthOf(request);
    this.#unread = this.contentLength;
    this.#options = options;
    this.#connection = connection;
    this.#incoming = incoming;
  }

  get isForwarded(): boolean {
    return Object.keys(this.#incoming.request.headers).some(isForwardingHeader);
  }

  address(): string {
    return addressOf(this.#options, this.#incoming.request);
  }

  authorized(): void {
    this.#isAuthorized = true;
    this.#connection.authorized();
  }

  /** Handles the request and responds. Not async, as most requests have their response at once. */
  serve(): void | Promise<void> {
    const handled = this.#options.handle(this);
    if (handled instanceof BodyWanted) return this.#serveWithBody(handled);
    const isUnread = this.#incoming.expectsContinue && this.contentLength > 0;
    if (this.contentLength === Number.POSITIVE_INFINITY && !isUnread) this.#skipBody();
    if (handled instanceof Promise) return handled.then((late) => this.#respond(late, isUnread));
    return this.#respond(handled, isUnread);
  }

  /**
   * Throws away a body in chunks that nobody reads: a client that is cut off while it sends sees a broken
   * connection, and not the response. One that is too long ends the connection.
   */
  #skipBody(): void {
    const { request } = this.#incoming;
    const skipped = new SkippedBody();
    this.#unread = 0;
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => {
      if (!skipped.skip(chunk.length)) request.socket.destroy();
    });
  }

  async #serveWithBody(wanted: BodyWanted): Promise<void> {
    const { contentLength } = this;
    const { request, response, expectsContinue } = this.#incoming;
    if (contentLength > wanted.maxBytes && contentLength !== Number.POSITIVE_INFINITY) {
      return await this.#respond(tooLargeResponse(wanted.maxBytes), expectsContinue);
    }
    if (expectsContinue) response.writeContinue();
    if (contentLength === 0) return await this.#respond(await wanted.handle(NO_BODY), false);
    const body = await readBody(request, contentLength, wanted, this.#options);
    switch (body.kind) {
      case "whole":
        this.#unread = 0;
        return await this.#respond(await wanted.handle(body.bytes), false);
      case "refused":
        return await this.#respond(BODIES_FULL, false);
      case "too-large":
        if (body.isOver) this.#unread = 0;
        return await this.#respond(tooLargeResponse(wanted.maxBytes), false);
      case "gone":
        return;
      default:
        body satisfies never;
    }
  }

  /**
   * `isUnread`: the client was not told to send the body. It may send it all the same, so it is unknown
   * where the next request begins.
   */
  #respond(reply: HttpResponse, isUnread: boolean): void | Promise<void> {
    const { tcp } = this.#options;
    const { peer } = this.#connection;
    const isLast =
      isUnread ||
      this.#unread > MAX_SKIPPED_BYTES ||
      (reply.closeAfter === true && tcp.mayEnd(peer)) ||
      (!this.#isAuthorized && tcp.endsWithAnswer(peer));
    const { request, response } = this.#incoming;
    return respond(this.#connection, reply, request, response, isLast);
  }
}

const NO_BODY = Buffer.alloc(0);

/** `isLast`: the connection ends with this response. */
function respond(
  connection: ExchangeConnection,
  reply: HttpResponse,
  request: IncomingMessage,
  response: ServerResponse,
  isLast: boolean,
): void | Promise<void> {
  if (isLast && isWhole(reply.body)) {
    connection.endRequests();
    response.setHeader("connection", "close");
  }
  return sendResponse(reply, request, response);
}
