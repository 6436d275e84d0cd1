import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BodySink } from "../gateway/body-sink.ts";
import type { Frame } from "../gateway/frame.ts";
import { CLOSE_TIMEOUT_MS } from "../gateway/limits.ts";
import type { StrangerConnection } from "../gateway/tcp-slots.ts";
import {
  BodyWanted,
  errorResponse,
  type HttpRequest,
  type HttpResponse,
  isWhole,
  tooLargeResponse,
} from "../http/exchange.ts";
import { bytesTaken } from "../internals/bytes-taken.ts";
import { isResponseUnderWay } from "../internals/response-under-way.ts";
import { stopParsing } from "../internals/stop-parsing.ts";
import {
  BODIES_FULL,
  type HandshakeHeaders,
  HTTP_STALL_MS,
  isForwardingHeader,
  isWebSocketRequest,
  MAX_HEADER_BYTES,
  MAX_HEADERS,
  MAX_PIPELINED,
  MAX_SKIPPED_BYTES,
  PIECES_PER_TURN,
  type TransportOptions,
} from "./transport.ts";
import { TurnQuota } from "./turn-quota.ts";

export interface HttpServer {
  /** Resolves with the port. */
  listen(): Promise<number>;
  /** Ends every connection without a request in hand, and resolves when those have their answers. */
  close(): Promise<void>;
}

/**
 * HTTP on node:http. `upgrade` gets the requests for WebSockets, and says whether it made one; it may throw.
 */
export function createHttpServer(
  options: TransportOptions,
  upgrade: (request: IncomingMessage, handshake: HandshakeHeaders, socket: Duplex, head: Buffer) => boolean,
): HttpServer {
  const server = createServer({
    headersTimeout: HTTP_STALL_MS,
    requestTimeout: 1.5 * HTTP_STALL_MS,
    connectionsCheckingInterval: 2_000,
    keepAliveTimeout: HTTP_STALL_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  // Silence in both directions; WebSockets and streams turn it off and are watched by the gateway.
  server.timeout = HTTP_STALL_MS;
  // One more than may be: to read all of tens of thousands takes milliseconds. Node leaves out the rest
  // without a word, and they may be the ones that matter: see `refusalOf`, which is asked before anything is
  // done.
  server.maxHeadersCount = MAX_HEADERS + 1;
  // Cheaper than to take one and close it.
  server.maxConnections = options.tcp.maxConnections;
  server.on("drop", () => options.tcpRefused("full"));

  let inHand = 0;
  let onIdle: (() => void) | undefined;
  const work: Work = {
    options,
    ahead: new TurnQuota(),
    begun: () => void inHand++,
    done() {
      inHand--;
      if (inHand === 0) onIdle?.();
    },
  };
  // Node takes one connection in a turn of the loop, so a newcomer waits for all that came before it. What is
  // not to stay goes before it has a parser, which is most of what a connection costs.
  const [parse] = server.listeners("connection") as [(this: Server, tcp: TcpSocket) => void];
  server.removeListener("connection", parse);
  server.on("connection", (tcp) => {
    // A connection whose offer of another protocol is left alone comes again.
    if (!connections.has(tcp)) {
      // It was reset while it waited. Nobody is there to be counted or answered.
      if (tcp.remoteAddress === undefined) return void tcp.destroy();
      const connection = new HttpConnection(work, tcp);
      if (!connection.isTaken) return;
      connections.set(tcp, connection);
    }
    parse.call(server, tcp);
  });
  server.on("request", (request, response) =>
    connections.get(request.socket)?.take(request, response, false),
  );
  server.on("checkContinue", (request, response) =>
    connections.get(request.socket)?.take(request, response, true),
  );
  // Left to itself, Node answers at once, and counts nothing.
  server.on("checkExpectation", (request, response) =>
    connections.get(request.socket)?.take(request, response, true),
  );
  server.on("upgrade", (request, socket, head) => {
    const connection = connections.get(request.socket);
    // An earlier request has no response yet: what is written now would be taken for a part of it.
    if (connection?.isFree !== true) return void socket.destroy();
    // Once: a connection comes again with each offer of another protocol that is left alone.
    socket.off("error", destroyOnError).on("error", destroyOnError);
    if (hasTooManyHeaders(request)) return refuse(socket, TOO_MANY_HEADERS);
    const handshake = handshakeOf(request);
    const isGet = request.method === "GET";
    if (!isGet || !isWebSocketRequest(handshake)) return ignoreUpgrade(server, request, socket, head);
    try {
      const refusal = refusalOf(request, ["1.1"]);
      if (refusal !== undefined) refuse(socket, refusal);
      else if (upgrade(request, handshake, socket, head)) connection.upgraded();
    } catch (error) {
      options.crashed(error);
      socket.destroy();
    }
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket as TcpSocket);
    // A response is on its way: another one amid or after it would be taken for a part of it.
    if (connection?.isClosing === true) return;
    connection?.endRequests();
    if (isResponseUnderWay(socket)) return void socket.destroy();
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    if (error.code === "HPE_HEADER_OVERFLOW") refuse(socket, HEADERS_TOO_LARGE);
    else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") refuse(socket, TOOK_TOO_LONG);
    else refuse(socket, NOT_HTTP);
  });

  return {
    async listen() {
      await new Promise<void>((resolve, reject) => {
        const refused = ({ code, message }: NodeJS.ErrnoException) => {
          const where = `${options.host}:${options.port}`;
          reject(Object.assign(new Error(`cannot listen on ${where}: ${message}`), { code }));
        };
        server.once("error", refused);
        server.listen({ host: options.host, port: options.port, backlog: 4_096 }, () => {
          server.removeListener("error", refused);
          server.on("error", options.crashed);
          resolve();
        });
      });
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : options.port;
    },
    close() {
      return new Promise((resolve) => {
        // From now on Node itself ends no slow request.
        const patience = setTimeout(() => server.closeAllConnections(), HTTP_STALL_MS);
        server.close(() => {
          clearTimeout(patience);
          resolve();
        });
        onIdle = () => server.closeAllConnections();
        if (inHand === 0) onIdle();
      });
    },
  };
}

/** The client's address; Node joins several X-Forwarded-For lines. */
export function addressOf(options: TransportOptions, request: IncomingMessage): string {
  const forwardedFor = request.headers["x-forwarded-for"] as string | undefined;
  return options.clientAddress(request.socket.remoteAddress ?? "", forwardedFor);
}

/** Answers on a bare socket, and ends it. */
export function refuse(socket: Duplex, { status, headers, body }: HttpResponse): void {
  const text = body as string;
  const head = Object.entries({ ...headers, "content-length": Buffer.byteLength(text), connection: "close" });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${text}`);
  // Bytes that nobody reads would hide the end of the connection, and it would stay for good.
  socket.resume();
  const patience = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
  socket.on("close", () => clearTimeout(patience));
}

function destroyOnError(this: Duplex): void {
  this.destroy();
}

// Upgrades

function handshakeOf({ headers }: IncomingMessage): HandshakeHeaders {
  return {
    upgrade: headers.upgrade,
    connection: headers.connection,
    key: headers["sec-websocket-key"],
    version: headers["sec-websocket-version"],
    protocol: headers["sec-websocket-protocol"],
  };
}

/**
 * An offer of another protocol may be left alone, and some clients make one with their first request (h2c).
 * Node hands over the bare connection with each, so the request goes back in without the offer.
 */
function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!/^upgrade$/i.test(rawHeaders[i]!)) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit("connection", socket);
}

// Requests

/** What the connections of one server share. */
interface Work {
  readonly options: TransportOptions;
  /** Requests that came before the one ahead of them had its response. */
  readonly ahead: TurnQuota;
  /** A request is to be answered; `done` is called once for each. */
  readonly begun: () => void;
  readonly done: () => void;
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends the body when it is told to. */
  readonly expectsContinue: boolean;
}

const connections = new WeakMap<TcpSocket, HttpConnection>();

/**
 * One TCP connection. Node hands over all requests that came in one packet at once, and keeps their answers
 * in memory. So they wait here: each is handled when the kernel has taken the response to the one before.
 */
class HttpConnection implements StrangerConnection {
  /** Whether it may stay. One that may not is ended at once. */
  readonly isTaken: boolean;
  readonly #work: Work;
  readonly #tcp: TcpSocket;
  readonly #peer: string;
  readonly #waiting: Waiting[] = [];
  #current: ServerResponse | undefined;
  #isClosing = false;
  #isStranger: boolean;
  #isWebSocket = false;
  #isAuthorized = false;
  #hasAnswered = false;

  constructor(work: Work, tcp: TcpSocket) {
    this.#work = work;
    this.#tcp = tcp;
    this.#peer = tcp.remoteAddress ?? "";
    const { options } = work;
    const opened = options.tcp.open(this.#peer, this);
    this.isTaken = opened === "taken";
    this.#isStranger = this.isTaken;
    tcp.on("close", () => {
      this.endRequests();
      if (this.#isStranger) options.tcp.strangerLeft(this.#peer, this);
      options.tcp.close(this.#isWebSocket);
    });
    if (opened === "taken") return;
    options.tcpRefused(opened);
    // A reset leaves nothing behind in the kernel, where thousands a second would pile up.
    if (opened === "too_often") tcp.resetAndDestroy();
    else tcp.destroy();
  }

  /** The last response was given, or nothing is to be answered any more. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  get isIdle(): boolean {
    return this.#hasAnswered && this.#current === undefined;
  }

  end(): void {
    // It counts no longer, so its end is not to take it out of the count again.
    this.#isStranger = false;
    this.#work.options.tcpRefused("share_used");
    this.#tcp.destroy();
  }

  /** Whether every response so far was handed to TCP. */
  get isFree(): boolean {
    const isOpen = !this.#isClosing && this.#waiting.length === 0;
    return isOpen && (this.#current === undefined || this.#current.writableEnded);
  }

  take(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    // After a response that closes nothing else may be done. Node would run what came in the same packet.
    if (this.#isClosing) return;
    const isAhead = this.#current !== undefined;
    if (this.#waiting.length === MAX_PIPELINED || (isAhead && !this.#work.ahead.take())) {
      this.endRequests();
      this.#tcp.destroy();
      return;
    }
    this.#work.begun();
    this.#waiting.push({ request, response, expectsContinue });
    if (this.#current === undefined) this.#next();
  }

  /** Answers nothing more than what is being answered. */
  endRequests(): void {
    this.#isClosing = true;
    stopParsing(this.#tcp);
    for (const _ of this.#waiting.splice(0)) this.#work.done();
  }

  upgraded(): void {
    this.#isWebSocket = true;
    this.#known();
    this.#work.options.tcp.upgraded();
  }

  /** A request over it has shown valid credentials. */
  authorized(): void {
    this.#isAuthorized = true;
    this.#known();
  }

  #known(): void {
    if (!this.#isStranger) return;
    this.#isStranger = false;
    this.#work.options.tcp.known(this.#peer, this);
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const { request, response } = next;
    this.#current = response;
    this.#isAuthorized = false;
    response.on("error", () => response.destroy());
    response.on("close", () => {
      this.#current = undefined;
      this.#hasAnswered = true;
      this.#work.done();
      // Others are served between.
      if (this.#waiting.length > 0) setImmediate(() => this.#next());
    });
    this.#serve(request, response, next.expectsContinue).catch((error) => {
      this.#work.options.crashed(error);
      response.destroy();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const { options } = this.#work;
    // Before anything is awaited: see `isClosing`.
    const refusal = refusalOf(request, ["1.1", "1.0"]);
    if (refusal !== undefined) return await this.#write(refusal, request, response, true);
    if (request.headers["transfer-encoding"] !== undefined) {
      return await this.#write(NO_TRANSFER_ENCODING, request, response, true);
    }
    const length = Number(request.headers["content-length"] ?? 0);
    const handled = options.handle(this.#describe(request, length));
    let reply: HttpResponse;
    let isRead = length === 0;
    if (!(handled instanceof BodyWanted)) reply = handled instanceof Promise ? await handled : handled;
    else if (length > handled.maxBytes) reply = tooLargeResponse(handled.maxBytes);
    else {
      if (expectsContinue) response.writeContinue();
      const body = length === 0 ? NO_BODY : await readBody(request, length, handled.owner, options);
      // The client went away in the middle of its request.
      if (body === undefined) return;
      isRead = true;
      reply = body === "refused" ? BODIES_FULL : await handled.handle(body);
    }
    const isLast =
      length > MAX_SKIPPED_BYTES ||
      // Whether the client still sends the body cannot be told, nor what a next request is.
      (expectsContinue && !isRead) ||
      (reply.closeAfter === true && options.tcp.mayEnd(this.#peer)) ||
      (!this.#isAuthorized && options.tcp.endsWithAnswer(this.#peer));
    await this.#write(reply, request, response, isLast);
  }

  #describe(request: IncomingMessage, contentLength: number): HttpRequest {
    const [path, query] = splitUrl(request.url ?? "");
    const { headers } = request;
    return {
      method: request.method ?? "",
      path,
      query,
      headers: {
        "accept-encoding": headers["accept-encoding"] as string | undefined,
        authorization: headers.authorization,
        "content-type": headers["content-type"],
        "last-event-id": headers["last-event-id"] as string | undefined,
        host: headers.host,
        "x-forwarded-for": headers["x-forwarded-for"] as string | undefined,
      },
      contentLength,
      get isForwarded() {
        return Object.keys(headers).some(isForwardingHeader);
      },
      address: () => addressOf(this.#work.options, request),
      authorized: () => this.authorized(),
    };
  }

  async #write(
    reply: HttpResponse,
    request: IncomingMessage,
    response: ServerResponse,
    isLast: boolean,
  ): Promise<void> {
    if (isLast && isWhole(reply.body)) {
      this.endRequests();
      response.setHeader("connection", "close");
    }
    await write(reply, request, response);
  }
}

/**
 * The response to what Node takes for a request and uWebSockets.js, or a proxy, might take for something
 * else.
 */
function refusalOf(
  { httpVersion, rawHeaders }: IncomingMessage,
  versions: string[],
): HttpResponse | undefined {
  if (!versions.includes(httpVersion)) return WRONG_VERSION;
  if (hasTooManyHeaders({ rawHeaders })) return TOO_MANY_HEADERS;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (/^host$/i.test(rawHeaders[i]!)) hosts++;
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0") ? undefined : WRONG_HOST;
}

function hasTooManyHeaders({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): boolean {
  return rawHeaders.length > 2 * MAX_HEADERS;
}

const HEADERS_TOO_LARGE = errorResponse(431, { headers: ["are too large"] });
const TOO_MANY_HEADERS = errorResponse(431, { headers: [`must be at most ${MAX_HEADERS}`] });
const TOOK_TOO_LONG = errorResponse(408, { request: ["took too long"] });
const NOT_HTTP = errorResponse(400, { request: ["is not valid HTTP"] });
const WRONG_VERSION = errorResponse(400, { request: ["must be HTTP/1.1"] });
const WRONG_HOST = errorResponse(400, { host: ["must be there once"] });
// uWebSockets.js cannot take these safely (see uws.ts), and the two transports response alike.
const NO_TRANSFER_ENCODING = errorResponse(400, {
  "transfer-encoding": ["is not supported, send Content-Length"],
});
const NO_BODY = Buffer.alloc(0);

function splitUrl(url: string): [string, string] {
  const mark = url.indexOf("?");
  return mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
}

/**
 * Reads a body; undefined if the client went away, `refused` if there is no room for more of it: the rest is
 * skipped.
 */
function readBody(
  request: IncomingMessage,
  length: number,
  owner: string,
  { bodies, bodyRefused }: TransportOptions,
): Promise<Buffer | "refused" | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let read = 0;
    let held = 0;
    const done = (body: Buffer | "refused" | undefined) => {
      request.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
      bodies.release(owner, held);
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      read += chunk.length;
      // The last piece does not wait for another.
      if (read === length) return;
      if (bodies.take(owner, chunk.length)) {
        held += chunk.length;
        return;
      }
      bodyRefused();
      request.on("error", () => {});
      done("refused");
      request.resume();
    };
    const onEnd = () => done(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    const onGone = () => done(undefined);
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}

// Answers

async function write(reply: HttpResponse, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, headers, body } = reply;
  if (isWhole(body)) {
    const length = Buffer.byteLength(body);
    response.writeHead(status, { ...headers, "content-length": length });
    if (length > SURELY_TAKEN_BYTES) endOnStall(response, request.socket);
    response.end(request.method === "HEAD" ? undefined : body);
  } else if (typeof body === "function") {
    const isGone = response.destroyed || request.socket.destroyed;
    const sink = new ResponseSink(response, request.socket);
    if (!isGone) {
      request.socket.setTimeout(0);
      response.writeHead(status, headers);
      response.flushHeaders();
    }
    const listener = body(sink);
    sink.onDrain = () => listener.onDrain();
    response.on("close", () => listener.onClose());
    if (isGone) listener.onClose();
  } else {
    response.writeHead(status, headers);
    if (request.method === "HEAD") return void response.end();
    endOnStall(response, request.socket);
    let sent = 0;
    for (let piece = body.next(); !piece.done && !response.destroyed; piece = body.next()) {
      if (!response.write(piece.value)) await drained(response);
      // Each piece takes work: others are served between.
      else if (++sent % PIECES_PER_TURN === 0) await nextTurn();
    }
    response.end();
  }
}

/** The kernel takes so much at once from a connection on which nothing waits. */
const SURELY_TAKEN_BYTES = 16 * 1024;
const STALL_CHECKS = 5;

/**
 * Drops a client that takes nothing of its response for `HTTP_STALL_MS`: Node by itself waits for twice its
 * timeout.
 */
function endOnStall(response: ServerResponse, tcp: TcpSocket): void {
  let taken = -1;
  let idleChecks = 0;
  const timer = setInterval(() => {
    const now = bytesTaken(tcp);
    idleChecks = now === taken ? idleChecks + 1 : 0;
    taken = now;
    if (idleChecks === STALL_CHECKS) response.destroy();
  }, HTTP_STALL_MS / STALL_CHECKS);
  response.on("close", () => clearInterval(timer));
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

class ResponseSink implements BodySink {
  onDrain: () => void = () => {};
  readonly #response: ServerResponse;
  readonly #tcp: TcpSocket;
  #waiting = false;
  /**
   * Not the response's "drain" event: that comes only after more has waited than Node's own high-water mark.
   */
  readonly #flushed = () => {
    if (!this.#waiting || this.#response.writableLength > 0) return;
    this.#waiting = false;
    this.onDrain();
  };

  constructor(response: ServerResponse, tcp: TcpSocket) {
    this.#response = response;
    this.#tcp = tcp;
  }

  get buffered(): number {
    return this.#response.writableLength;
  }

  get progress(): number {
    return bytesTaken(this.#tcp);
  }

  send(frame: Frame): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true;
    this.#response.write(frame.bytes, this.#flushed);
    if (this.#response.writableLength === 0) return true;
    this.#waiting = true;
    return false;
  }

  end(): void {
    this.#response.end();
  }

  terminate(): void {
    this.#response.destroy();
  }
}
