import { KeyedBuckets } from "../../../core/collections/keyed-buckets.ts";
import { addressKey } from "../../gateway/admission.ts";
import {
  BodyWanted,
  errorResponse,
  type HttpRequest,
  type HttpResponse,
  isWhole,
  tooLargeResponse,
  type WholeBody,
} from "../../http/exchange.ts";
import { sendContinue } from "../../internals/uws-continue.ts";
import { BodyParts } from "../body-parts.ts";
import { BODIES_FULL, MAX_SKIPPED_BYTES, SkippedBody, TOKEN, type TransportOptions } from "../transport.ts";
import { UwsBodySink } from "./uws-body-sink.ts";
import type { UwsHead } from "./uws-head.ts";
import { peerOf, sendAndClose, writeHead, writePieces } from "./uws-response.ts";
import type { UwsRequest, UwsResponse } from "./uws-types.ts";

interface LastOptions {
  readonly sent?: () => void;
  readonly isContinued?: boolean;
  readonly afterBody?: ((done: () => void) => void) | undefined;
}

/** What the requests of one server share. */
export class UwsHttp {
  readonly options: TransportOptions;
  /** To be called once for each exchange, at its end. */
  readonly finished: () => void;
  /**
   * The library reports bytes that wait for a response with a body, and nothing for one without. So an
   * address gets a few responses without a body on connections that stay open. Beyond them each ends its
   * connection, so that unread responses cannot pile up.
   */
  readonly bodiless = new KeyedBuckets(0.1, 64, 16_384);

  constructor(options: TransportOptions, finished: () => void) {
    this.options = options;
    this.finished = finished;
  }

  /**
   * Sends a whole response, and ends the connection. The library would handle further requests of the same
   * packet even after such a response, and drops the connection if they arrive before a response. So the
   * response is sent when the whole packet has been read. `sent` is called unless `onAborted` will be.
   */
  sendLast(
    response: UwsResponse,
    reply: HttpResponse,
    isHead: boolean,
    isAborted: () => boolean,
    { sent = () => {}, isContinued = false, afterBody = setImmediate }: LastOptions = {},
  ): void {
    setImmediate(() => {
      if (isAborted()) return;
      this.options.tcp.known(peerOf(response));
      const length = Buffer.byteLength(reply.body as WholeBody);
      if (!isHead && length > 0) {
        return sendAndClose(response, reply, isAborted, isContinued, afterBody);
      }
      response.cork(() => {
        writeHead(response, reply, isContinued);
        response.endWithoutBody(length, true);
      });
      sent();
    });
  }
}

/**
 * One request, until its response is sent or its client has gone. It is created in the library's handler. All
 * calls within that handler, and within the handler for a piece of the body, are corked by the library
 * already.
 */
export class UwsExchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: UwsHead;
  readonly #http: UwsHttp;
  readonly #response: UwsResponse;
  #isAborted = false;
  #isAuthorized = false;
  #isLate = false;
  /** The library's handler is running, and the body has no reader yet. */
  #mayRead = true;
  /** "100 Continue" was sent by us. */
  #isContinued = false;
  #onGone: (() => void) | undefined;

  constructor(http: UwsHttp, response: UwsResponse, request: UwsRequest, head: UwsHead) {
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? "";
    this.headers = head;
    this.#http = http;
    this.#response = response;
    response.onAborted(() => {
      this.#isAborted = true;
      this.#onGone?.();
    });
  }

  get contentLength(): number {
    return this.headers.contentLength;
  }

  get isForwarded(): boolean {
    return this.headers.isForwarded;
  }

  address(): string {
    if (this.#isAborted) return "";
    return this.#http.options.clientAddress(this.#peer(), this.headers["x-forwarded-for"]);
  }

  authorized(): void {
    this.#isAuthorized = true;
    const { tcp } = this.#http.options;
    // To ask for the address takes a system call.
    if (tcp.isCrowded && !this.#isAborted) tcp.known(this.#peer());
  }

  serve(): void {
    // The library accepts such paths, and replaces bytes that are not UTF-8.
    if (!ASCII.test(this.path) || !ASCII.test(this.query)) this.#reply(NOT_ASCII, true);
    // The library takes any text up to the first space.
    else if (!TOKEN.test(this.method)) this.#reply(NOT_METHOD, true);
    else this.#handle();
    this.#mayRead = false;
  }

  /**
   * Serves the request, and sends the response at the end of this turn of the event loop. The handler is
   * called at once: the library drops a body that has no reader by then.
   */
  serveLate(): void {
    this.#isLate = true;
    this.serve();
  }

  #peer(): string {
    return this.#isAborted ? "" : peerOf(this.#response);
  }

  #handle(): void {
    try {
      const reply = this.#http.options.handle(this);
      if (reply instanceof BodyWanted) this.#read(reply);
      else this.#take(reply);
    } catch (error) {
      this.#crash(error);
    }
  }

  /** Takes what a handler has returned. */
  #take(reply: HttpResponse | Promise<HttpResponse>): void {
    if (!(reply instanceof Promise)) return this.#reply(reply, false);
    // A request whose client goes away meanwhile is finished when its handler is.
    this.#onGone = undefined;
    reply.then((late) => this.#replyLate(late)).catch((error) => this.#crash(error));
  }

  #read(wanted: BodyWanted): void {
    const { contentLength, headers } = this;
    const { bodies, bodyRefused } = this.#http.options;
    if (contentLength > wanted.maxBytes && !headers.isChunked) {
      return this.#reply(tooLargeResponse(wanted.maxBytes), false);
    }
    if (contentLength === 0) return this.#take(wanted.handle(NO_BODY));
    if (headers.awaitsContinue) {
      sendContinue(this.#response);
      this.#isContinued = true;
    }
    this.#onGone = this.#http.finished;
    let parts: BodyParts | undefined;
    let skipped: SkippedBody | undefined;
    let isOver = false;
    /** The body is not wanted any more: it is answered with an error. */
    const refuse = (reply: HttpResponse) => {
      isOver = true;
      parts?.release();
      this.#onGone = undefined;
      this.#reply(reply, false);
    };
    this.#mayRead = false;
    this.#response.onData((chunk, isLast) => {
      if (isOver) return;
      // The bytes are valid during this call only. A body that arrives whole is handled within it.
      const bytes = Buffer.from(chunk);
      // Only the length of a body in chunks is not known before.
      if (skipped !== undefined || (parts?.length ?? 0) + bytes.length > wanted.maxBytes) {
        parts?.release();
        skipped ??= new SkippedBody();
        if (isLast || !skipped.skip(bytes.length)) refuse(tooLargeResponse(wanted.maxBytes));
        return;
      }
      isOver = isLast;
      if (isLast) return this.#handleBody(wanted, parts === undefined ? bytes : parts.whole(bytes));
      if (parts === undefined) {
        const made = new BodyParts(bodies, wanted.owner, Math.min(contentLength, wanted.maxBytes));
        parts = made;
        this.#onGone = () => {
          made.release();
          this.#http.finished();
        };
      }
      if (parts.add(bytes)) return;
      bodyRefused();
      refuse(BODIES_FULL);
    });
  }

  #handleBody(wanted: BodyWanted, body: Buffer): void {
    this.#onGone = undefined;
    try {
      this.#take(wanted.handle(body));
    } catch (error) {
      this.#crash(error);
    }
  }

  #crash(error: unknown): void {
    this.#http.options.crashed(error);
    this.#onGone = undefined;
    this.#http.finished();
    // After this turn: the library goes on reading a body in chunks after the connection was closed.
    setImmediate(() => this.#isAborted || this.#response.close());
  }

  #replyLate(reply: HttpResponse): void {
    if (this.#isAborted) this.#reply(reply, false);
    else this.#response.cork(() => this.#reply(reply, false));
  }

  /** `isLast`: the connection must end with this response. */
  #reply(reply: HttpResponse, isLast: boolean): void {
    if (this.#isLate) return this.#replyAfterTurn(reply, isLast);
    const { body } = reply;
    if (typeof body === "function") this.#stream(reply, body);
    else if (this.#isAborted) this.#http.finished();
    else if (this.method === "HEAD") this.#sendHead(reply, isLast);
    else if (!isWhole(body)) {
      this.#onGone = this.#http.finished;
      if (this.headers.isChunked) this.#sendLastPieces(reply, body);
      else this.#sendPieces(reply, body, false);
    } else if (body.length === 0) this.#sendHead(reply, isLast);
    else if (this.#isLast(reply, isLast)) this.#sendLast(reply);
    else this.#send(reply, body);
  }

  #sendPieces(reply: HttpResponse, pieces: Iterator<string>, isLast: boolean): void {
    writeHead(this.#response, reply, this.#isContinued);
    writePieces(this.#response, pieces, () => this.#isAborted, this.#http.finished, isLast);
  }

  /** Sends pieces after this turn, as `sendLast` sends a whole body. */
  #sendLastPieces(reply: HttpResponse, pieces: Iterator<string>): void {
    const headers = { ...reply.headers, connection: "close" };
    setImmediate(() => {
      if (!this.#isAborted) {
        this.#response.cork(() => this.#sendPieces({ ...reply, headers }, pieces, true));
      }
    });
  }

  #replyAfterTurn(reply: HttpResponse, isLast: boolean): void {
    this.#isLate = false;
    setImmediate(() => {
      if (this.#isAborted) this.#reply(reply, isLast);
      else this.#response.cork(() => this.#reply(reply, isLast));
    });
  }

  #isLast({ closeAfter }: HttpResponse, isLast: boolean): boolean {
    const { tcp } = this.#http.options;
    return (
      isLast ||
      // Bodies in chunks among them: the library does not check where they end.
      this.contentLength > MAX_SKIPPED_BYTES ||
      this.#isUnasked ||
      (closeAfter === true && tcp.mayEnd(this.#peer())) ||
      (!this.#isAuthorized && (tcp.isShort || tcp.isCrowded) && tcp.endsWithAnswer(this.#peer()))
    );
  }

  /** The client was not told to send its body. It may, so it is unknown where the next request begins. */
  get #isUnasked(): boolean {
    return this.headers.awaitsContinue && !this.#isContinued && this.contentLength > 0;
  }

  #sendLast(reply: HttpResponse): void {
    const sent = this.#http.finished;
    this.#onGone = sent;
    const isHead = this.method === "HEAD";
    const isContinued = this.#isContinued;
    const options = { sent, isContinued, afterBody: this.#skipBody() };
    this.#http.sendLast(this.#response, reply, isHead, () => this.#isAborted, options);
  }

  /**
   * Throws away a body in chunks that nobody reads: a client that is cut off while it sends sees a broken
   * connection, and not the response. Returns what calls back when the body has ended, or was too long.
   */
  #skipBody(): ((done: () => void) => void) | undefined {
    if (!this.#mayRead || !this.headers.isChunked || this.#isUnasked) return;
    this.#mayRead = false;
    const skipped = new SkippedBody();
    let isOver = false;
    let onOver: (() => void) | undefined;
    this.#response.onData((chunk, isLast) => {
      if (isOver || (skipped.skip(chunk.byteLength) && !isLast)) return;
      isOver = true;
      if (onOver !== undefined) setImmediate(onOver);
    });
    return (done) => {
      if (onOver !== undefined) return;
      // The client has its response: the gateway may stop without waiting for the rest of the body.
      this.#onGone = undefined;
      this.#http.finished();
      onOver = done;
      if (isOver) setImmediate(done);
    };
  }

  /**
   * Sends a whole body. What the kernel does not take is kept here, and the request counts as not answered
   * until all of it is sent: the library drops a connection if the next request arrives before that.
   */
  #send(reply: HttpResponse, body: WholeBody): void {
    writeHead(this.#response, reply, this.#isContinued);
    const length = Buffer.byteLength(body);
    if (this.#response.tryEnd(body, length)[0]) this.#http.finished();
    else this.#sendRest(typeof body === "string" ? Buffer.from(body) : body);
  }

  #sendRest(body: Uint8Array): void {
    const response = this.#response;
    const { finished } = this.#http;
    this.#onGone = finished;
    response.onWritable((offset) => {
      const [isOut] = response.tryEnd(body.subarray(offset), body.length);
      if (isOut) finished();
      return isOut;
    });
  }

  /** Sends a response without a body: to HEAD, or where there is none. */
  #sendHead(reply: HttpResponse, isLast: boolean): void {
    const { bodiless, finished } = this.#http;
    const { body } = reply;
    const mayStay = bodiless.take(addressKey(this.#peer()), performance.now());
    if (isWhole(body)) {
      if (!mayStay || this.#isLast(reply, isLast)) return this.#sendLast(reply);
      writeHead(this.#response, reply);
      // The length is written as a header. If the library knew it, it would wait for a body of this length,
      // and drop the connection at the next request.
      this.#response.writeHeader("content-length", String(Buffer.byteLength(body)));
    } else if (!mayStay || this.headers.isChunked) return this.#sendLast({ ...reply, body: "" });
    else writeHead(this.#response, reply);
    this.#response.endWithoutBody();
    finished();
  }

  #stream(reply: HttpResponse, start: Extract<HttpResponse["body"], (...args: never[]) => unknown>): void {
    const sink = new UwsBodySink(this.#response, () => this.#isAborted, this.headers.isChunked);
    if (!this.#isAborted) writeHead(this.#response, reply);
    const listener = start(sink);
    // Only now: if the start fails, the request is finished by that.
    this.#http.finished();
    this.#onGone = () => listener.onClose();
    sink.listener = listener;
    if (this.#isAborted) listener.onClose();
  }
}

const NO_BODY = Buffer.alloc(0);
const ASCII = /^[!-~]*$/;
const NOT_ASCII = errorResponse(400, { path: ["has characters that must be percent-encoded"] });
const NOT_METHOD = errorResponse(400, { method: ["is not a token, as a method has to be"] });
