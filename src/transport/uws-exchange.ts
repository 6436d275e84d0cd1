import { STATUS_CODES } from "node:http";
import {
  answerError,
  type HttpAnswer,
  type HttpRequest,
  isWhole,
  MAX_BODY_BYTES,
  type WholeBody,
} from "../http/exchange.ts";
import { MAX_SKIPPED_BYTES, PIECES_PER_TURN, type TransportOptions } from "./transport.ts";
import { UwsBodySink } from "./uws-body-sink.ts";
import type { UwsHead } from "./uws-head.ts";
import type { UwsRequest, UwsResponse } from "./uws-types.ts";

/**
 * One request, until its answer is given or its client gone. Made in the library's handler; what it calls at once is
 * corked by the library already, as is all that it does when a piece of the body comes.
 */
export class UwsExchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: UwsHead;
  body: Buffer = NO_BODY;
  readonly #options: TransportOptions;
  readonly #response: UwsResponse;
  readonly #finished: () => void;
  #isAborted = false;
  #onGone: (() => void) | undefined;

  /** `finished` is called once, at the end. */
  constructor(
    options: TransportOptions,
    response: UwsResponse,
    request: UwsRequest,
    head: UwsHead,
    finished: () => void,
  ) {
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? "";
    this.headers = head;
    this.#options = options;
    this.#response = response;
    this.#finished = finished;
  }

  address(): string {
    if (this.#isAborted) return "";
    return this.#options.clientAddress(peerOf(this.#response), this.headers["x-forwarded-for"]);
  }

  serve(): void {
    const { contentLength } = this.headers;
    this.#response.onAborted(() => {
      this.#isAborted = true;
      this.#onGone?.();
    });
    // The library lets them through, as replacement characters if they are not UTF-8.
    if (!ASCII.test(this.path) || !ASCII.test(this.query)) this.#reply(NOT_ASCII, true);
    else if (contentLength > MAX_BODY_BYTES) this.#reply(TOO_LARGE, contentLength > MAX_SKIPPED_BYTES);
    else if (contentLength === 0) this.#handle();
    else this.#read();
  }

  #read(): void {
    let chunks: Buffer[] | undefined;
    let isRead = false;
    this.#onGone = () => {
      if (!isRead) this.#finished();
    };
    this.#response.onData((chunk, isLast) => {
      if (isRead) return;
      // A chunk is good for this call only: one that is the whole body is not needed for longer.
      const bytes = Buffer.from(chunk);
      if (!isLast) {
        chunks ??= [];
        chunks.push(Buffer.from(bytes));
        return;
      }
      isRead = true;
      this.#onGone = undefined;
      this.body = chunks === undefined ? bytes : Buffer.concat([...chunks, bytes]);
      this.#handle();
    });
  }

  #handle(): void {
    try {
      const answer = this.#options.handle(this);
      if (answer instanceof Promise)
        answer.then((late) => this.#replyLate(late)).catch((error) => this.#crash(error));
      else this.#reply(answer, false);
    } catch (error) {
      this.#crash(error);
    }
  }

  #crash(error: unknown): void {
    this.#options.crashed(error);
    this.#finished();
    if (!this.#isAborted) this.#response.close();
  }

  #replyLate(answer: HttpAnswer): void {
    if (this.#isAborted) this.#reply(answer, false);
    else this.#response.cork(() => this.#reply(answer, false));
  }

  #reply(answer: HttpAnswer, closeAfter: boolean): void {
    const response = this.#response;
    const { body } = answer;
    const isHead = this.method === "HEAD";
    if (isWhole(body)) {
      if (!this.#isAborted) send(response, answer, isHead, closeAfter);
      this.#finished();
    } else if (typeof body === "function") {
      this.#finished();
      const sink = new UwsBodySink(response, () => this.#isAborted);
      if (!this.#isAborted) writeHead(response, answer);
      const listener = body(sink);
      this.#onGone = () => listener.onClose();
      sink.listener = listener;
      if (this.#isAborted) listener.onClose();
    } else if (this.#isAborted) this.#finished();
    else if (isHead) {
      writeHead(response, answer);
      response.endWithoutBody();
      this.#finished();
    } else {
      this.#onGone = this.#finished;
      writeHead(response, answer);
      writePieces(response, body, () => this.#isAborted, this.#finished);
    }
  }
}

const NO_BODY = Buffer.alloc(0);
const ASCII = /^[!-~]*$/;
const NOT_ASCII = answerError(400, { path: ["has characters that must be percent-encoded"] });
const TOO_LARGE = answerError(413, { body: [`must have at most ${MAX_BODY_BYTES} bytes`] });

/** The address at the other end of a connection. */
export function peerOf(response: UwsResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
}

/** Sends an answer whose body is whole. */
export function send(response: UwsResponse, answer: HttpAnswer, isHead: boolean, closeAfter: boolean): void {
  const body = answer.body as WholeBody;
  writeHead(response, answer);
  if (!isHead) response.end(body, closeAfter);
  else if (closeAfter) response.endWithoutBody(Buffer.byteLength(body), true);
  else {
    // Told the length, the library would wait for a body of it, and drop the connection at the next request.
    response.writeHeader("content-length", String(Buffer.byteLength(body)));
    response.endWithoutBody();
  }
}

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), `${code} ${text}`]),
);

/** Status and headers. Each call into the library costs as much as all headers do in one, so they go as one. */
function writeHead(response: UwsResponse, { status, headers }: HttpAnswer): void {
  // 200 is what it writes by itself.
  if (status !== 200) response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  let first: string | undefined;
  let rest = "";
  for (const name in headers) {
    if (first === undefined) {
      first = name;
      rest = headers[name]!;
    } else rest += `\r\n${name}: ${headers[name]}`;
  }
  if (first !== undefined) response.writeHeader(first, rest);
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
