import { STATUS_CODES } from "node:http";
import type { BodyListener, BodySink } from "../gateway/event-stream.ts";
import type { Frame } from "../gateway/frame.ts";
import {
  answerError,
  type HttpAnswer,
  type HttpRequest,
  isWhole,
  MAX_BODY_BYTES,
  type RequestHeaders,
  type WholeBody,
} from "../http/exchange.ts";
import {
  type HandshakeHeaders,
  MAX_SKIPPED_BYTES,
  PIECES_PER_TURN,
  type TransportOptions,
} from "./transport.ts";
import type { UwsRequest, UwsResponse } from "./uws-types.ts";

/** What is read of a request's headers, in one walk over them. */
export interface Head {
  readonly headers: RequestHeaders;
  readonly origin: string | undefined;
  readonly handshake: HandshakeHeaders;
  /** In bytes; 0 without a body. */
  readonly contentLength: number;
  /** Its length can be read in two ways: a second Content-Length, an empty one, or any Transfer-Encoding. */
  readonly isSmuggling: boolean;
}

/**
 * Headers that come in several lines are joined as node:http joins them. The library's own `getHeader` returns the
 * first line, which may be what a client made up where a proxy added one; and the same for an empty header and none.
 */
export function readHead(request: UwsRequest): Head {
  let acceptEncoding: string | undefined;
  let authorization: string | undefined;
  let contentType: string | undefined;
  let lastEventId: string | undefined;
  let forwarded: string | undefined;
  let forwardedFor: string | undefined;
  let host: string | undefined;
  let origin: string | undefined;
  let upgrade: string | undefined;
  let connection: string | undefined;
  let key: string | undefined;
  let version: string | undefined;
  let protocol: string | undefined;
  let length: string | undefined;
  let isSmuggling = false;
  request.forEach((name, value) => {
    switch (name) {
      case "accept-encoding":
        acceptEncoding = joined(acceptEncoding, value);
        break;
      case "authorization":
        authorization ??= value;
        break;
      case "content-type":
        contentType ??= value;
        break;
      case "last-event-id":
        lastEventId ??= value;
        break;
      case "forwarded":
        forwarded = joined(forwarded, value);
        break;
      case "x-forwarded-for":
        forwardedFor = joined(forwardedFor, value);
        break;
      case "host":
        host = joined(host, value);
        break;
      case "origin":
        origin = joined(origin, value);
        break;
      case "upgrade":
        upgrade = joined(upgrade, value);
        break;
      case "connection":
        connection = joined(connection, value);
        break;
      case "sec-websocket-key":
        key = joined(key, value);
        break;
      case "sec-websocket-version":
        version = joined(version, value);
        break;
      case "sec-websocket-protocol":
        protocol = joined(protocol, value);
        break;
      case "content-length":
        // The library takes an empty one for zero; others might not.
        if (length !== undefined || value === "") isSmuggling = true;
        length = value;
        break;
      case "transfer-encoding":
        isSmuggling = true;
        break;
    }
  });
  return {
    headers: {
      "accept-encoding": acceptEncoding,
      authorization,
      "content-type": contentType,
      "last-event-id": lastEventId,
      forwarded,
      host,
      "x-forwarded-for": forwardedFor,
    },
    origin,
    handshake: { upgrade, connection, key, version, protocol },
    contentLength: Number(length ?? 0),
    isSmuggling,
  };
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** Answers a request; `finished` is called once, when its answer is given or its client gone. */
export function serve(
  options: TransportOptions,
  response: UwsResponse,
  request: UwsRequest,
  { headers, contentLength }: Head,
  finished: () => void,
): void {
  let aborted = false;
  let onGone: (() => void) | undefined;
  response.onAborted(() => {
    aborted = true;
    onGone?.();
  });
  const method = request.getMethod().toUpperCase();
  const path = request.getUrl();
  const query = request.getQuery() ?? "";

  const reply = (answer: HttpAnswer, closeAfter = false) => {
    const { body } = answer;
    if (isWhole(body)) {
      if (!aborted) response.cork(() => send(response, answer, method === "HEAD", closeAfter));
      finished();
    } else if (typeof body === "function") {
      finished();
      const sink = new UwsBodySink(response, () => aborted);
      if (!aborted) response.cork(() => writeHead(response, answer));
      const listener = body(sink);
      onGone = () => listener.onClose();
      sink.listener = listener;
      if (aborted) listener.onClose();
    } else if (aborted) finished();
    else if (method === "HEAD") {
      response.cork(() => {
        writeHead(response, answer);
        response.endWithoutBody();
      });
      finished();
    } else {
      onGone = finished;
      response.cork(() => writeHead(response, answer));
      writePieces(response, body, () => aborted, finished);
    }
  };
  const crash = (error: unknown) => {
    options.crashed(error);
    finished();
    if (!aborted) response.close();
  };
  const handle = (body: Buffer) => {
    const copied: HttpRequest = {
      method,
      path,
      query,
      headers,
      body,
      get address() {
        if (aborted) return "";
        return options.clientAddress(textOf(response.getRemoteAddressAsText()), headers["x-forwarded-for"]);
      },
    };
    try {
      const answer = options.handle(copied);
      if (answer instanceof Promise) answer.then(reply).catch(crash);
      else reply(answer);
    } catch (error) {
      crash(error);
    }
  };

  // The library lets them through, as replacement characters if they are not UTF-8.
  if (!/^[!-~]*$/.test(path + query)) return reply(NOT_ASCII, true);
  if (contentLength > MAX_BODY_BYTES) return reply(TOO_LARGE, contentLength > MAX_SKIPPED_BYTES);
  if (contentLength === 0) return handle(NO_BODY);
  const chunks: Buffer[] = [];
  let isRead = false;
  onGone = () => {
    if (!isRead) finished();
  };
  response.onData((chunk, isLast) => {
    // Copied, and into the pool: a chunk is good for this call only.
    chunks.push(Buffer.from(new Uint8Array(chunk)));
    if (!isLast || isRead) return;
    isRead = true;
    onGone = undefined;
    handle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
}

const NO_BODY = Buffer.alloc(0);
const NOT_ASCII = answerError(400, { path: ["has characters that must be percent-encoded"] });
const TOO_LARGE = answerError(413, { body: [`must have at most ${MAX_BODY_BYTES} bytes`] });

/** The text of an address: good for this call only, so it is copied. */
export function textOf(address: ArrayBuffer): string {
  return Buffer.from(address).toString("latin1");
}

/** Sends an answer whose body is whole. */
export function send(response: UwsResponse, answer: HttpAnswer, isHead: boolean, closeAfter: boolean): void {
  const body = answer.body as WholeBody;
  writeHead(response, answer);
  const length = Buffer.byteLength(body);
  if (!isHead) response.end(body, closeAfter);
  else if (closeAfter) response.endWithoutBody(length, true);
  else {
    // Told the length, the library would wait for a body of it, and drop the connection at the next request.
    response.writeHeader("content-length", String(length));
    response.endWithoutBody();
  }
}

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), `${code} ${text}`]),
);

function writeHead(response: UwsResponse, { status, headers }: HttpAnswer): void {
  response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  for (const name in headers) response.writeHeader(name, headers[name]!);
}

function writePieces(
  response: UwsResponse,
  pieces: Iterator<string>,
  isAborted: () => boolean,
  finished: () => void,
): void {
  let turn: NodeJS.Immediate | undefined;
  let isDone = false;
  /** Returns whether all that was made so far is out, as `onWritable` wants to know. */
  const pump = () => {
    for (let sent = 0; sent < PIECES_PER_TURN; sent++) {
      const piece = pieces.next();
      if (piece.done) {
        isDone = true;
        finished();
        response.end();
        return true;
      }
      if (!response.write(piece.value)) return false;
    }
    // Each piece takes work: others are served between.
    turn = setImmediate(() => {
      turn = undefined;
      corkedPump();
    });
    return true;
  };
  const corkedPump = () => {
    let isOut = true;
    if (!isAborted() && !isDone && turn === undefined) {
      response.cork(() => {
        isOut = pump();
      });
    }
    return isOut;
  };
  response.onWritable(corkedPump);
  corkedPump();
}

class UwsBodySink implements BodySink {
  listener: BodyListener | undefined;
  readonly #response: UwsResponse;
  readonly #isAborted: () => boolean;
  #ended = false;
  #buffered = 0;
  #progress = 0;

  constructor(response: UwsResponse, isAborted: () => boolean) {
    this.#response = response;
    this.#isAborted = isAborted;
    if (isAborted()) return;
    response.onWritable(() => {
      this.#drained();
      return true;
    });
  }

  get buffered(): number {
    return this.#buffered;
  }

  get progress(): number {
    return this.#progress;
  }

  send(frame: Frame): boolean {
    if (this.#isOver) return true;
    let sent = true;
    this.#response.cork(() => {
      sent = this.#response.write(frame.payload);
    });
    if (!sent) this.#buffered += frame.bytes.length;
    // What waited has gone out with it, and then the library has nothing to tell. Told after this turn.
    else if (this.#buffered > 0) setImmediate(() => this.#drained());
    return sent;
  }

  #drained(): void {
    if (this.#buffered === 0 || this.#isOver) return;
    this.#progress++;
    this.#buffered = 0;
    this.listener?.onDrain();
  }

  end(): void {
    if (this.#isOver) return;
    this.#ended = true;
    this.#response.cork(() => this.#response.end());
  }

  terminate(): void {
    if (this.#isOver) return;
    this.#ended = true;
    this.#response.close();
  }

  get #isOver(): boolean {
    return this.#ended || this.#isAborted();
  }
}
