import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { BodySink } from "../gateway/event-stream.ts";
import type { Frame } from "../gateway/frame.ts";
import { answerError, type HttpAnswer, isWhole, MAX_BODY_BYTES } from "../http/exchange.ts";
import { bytesTaken } from "./tcp-progress.ts";
import {
  asksForWebSocket,
  type HandshakeHeaders,
  HTTP_STALL_MS,
  MAX_HEADER_BYTES,
  MAX_HEADERS,
  MAX_SKIPPED_BYTES,
  PIECES_PER_TURN,
  type TransportOptions,
} from "./transport.ts";

export interface HttpServer {
  /** Resolves with the port. */
  listen(): Promise<number>;
  /** Ends every connection without a request in hand, and resolves when those have their answers. */
  close(): Promise<void>;
}

/** HTTP on node:http. `upgrade` gets the requests for WebSockets; it may throw. */
export function createHttpServer(
  options: TransportOptions,
  upgrade: (request: IncomingMessage, handshake: HandshakeHeaders, socket: Duplex, head: Buffer) => void,
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
  // Those over its bound Node leaves out without a word, and they may be the ones that matter: see `refusalOf`.
  server.maxHeadersCount = 0;
  server.maxConnections = options.maxTcpConnections;
  server.on("drop", () => options.tcpRefused());

  let inHand = 0;
  let onIdle: (() => void) | undefined;
  server.on("request", (request, response) => {
    // After an answer that closes nothing else may be done. Node would run what came in the same packet.
    if (closing.has(request.socket)) return;
    inHand++;
    response.on("close", () => {
      inHand--;
      if (inHand === 0) onIdle?.();
    });
    serve(options, request, response).catch((error) => {
      options.crashed(error);
      response.destroy();
    });
  });
  server.on("upgrade", (request, socket, head) => {
    const handshake = handshakeOf(request);
    const isGet = request.method === "GET";
    if (!isGet || !asksForWebSocket(handshake)) return ignoreUpgrade(server, request, socket, head);
    socket.on("error", () => socket.destroy());
    try {
      const refusal = refusalOf(request, ["1.1"]);
      if (refusal !== undefined) refuse(socket, refusal);
      else upgrade(request, handshake, socket, head);
    } catch (error) {
      options.crashed(error);
      socket.destroy();
    }
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // An answer is on its way: another one amid or after it would be taken for a part of it.
    if (closing.has(socket as TcpSocket)) return;
    if ((socket as AnsweringSocket)._httpMessage?.headersSent) return void socket.destroy();
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
export function refuse(socket: Duplex, { status, headers, body }: HttpAnswer): void {
  const text = body as string;
  const head = Object.entries({ ...headers, "content-length": Buffer.byteLength(text), connection: "close" });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${text}`);
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
 * An offer of another protocol may be left alone, and some clients make one with their first request (h2c). Node hands
 * over the bare connection with each, so the request goes back in without the offer.
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

/** What is being answered on a connection; Node's own handling of errors reads it, it is not in the public types. */
interface AnsweringSocket extends Duplex {
  readonly _httpMessage?: ServerResponse | null;
}

/** Connections whose last answer was given. */
const closing = new WeakSet<TcpSocket>();

async function serve(
  options: TransportOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on("error", () => response.destroy());
  // Before anything is awaited: see `closing`.
  const refusal = refusalOf(request, ["1.1", "1.0"]);
  if (refusal !== undefined) return await write(refusal, request, response, true);
  if (request.headers["transfer-encoding"] !== undefined) {
    return await write(NO_TRANSFER_ENCODING, request, response, true);
  }
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > MAX_BODY_BYTES) return await write(TOO_LARGE, request, response, length > MAX_SKIPPED_BYTES);
  const body = length === 0 ? Buffer.alloc(0) : await readBody(request);
  // The client went away in the middle of its request.
  if (body === undefined) return;
  const [path, query] = splitUrl(request.url ?? "");
  const { headers } = request;
  const answer = await options.handle({
    method: request.method ?? "",
    path,
    query,
    headers: {
      "accept-encoding": headers["accept-encoding"] as string | undefined,
      authorization: headers.authorization,
      "content-type": headers["content-type"],
      "last-event-id": headers["last-event-id"] as string | undefined,
      forwarded: headers.forwarded,
      host: headers.host,
      "x-forwarded-for": headers["x-forwarded-for"] as string | undefined,
    },
    address: () => addressOf(options, request),
    body,
  });
  await write(answer, request, response, false);
}

/** The answer to what Node takes for a request and uWebSockets.js, or a proxy, might take for something else. */
function refusalOf({ httpVersion, rawHeaders }: IncomingMessage, versions: string[]): HttpAnswer | undefined {
  if (!versions.includes(httpVersion)) return WRONG_VERSION;
  if (rawHeaders.length > 2 * MAX_HEADERS) return TOO_MANY_HEADERS;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (/^host$/i.test(rawHeaders[i]!)) hosts++;
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0") ? undefined : WRONG_HOST;
}

const HEADERS_TOO_LARGE = answerError(431, { headers: ["are too large"] });
const TOO_MANY_HEADERS = answerError(431, { headers: [`must be at most ${MAX_HEADERS}`] });
const TOOK_TOO_LONG = answerError(408, { request: ["took too long"] });
const NOT_HTTP = answerError(400, { request: ["is not valid HTTP"] });
const WRONG_VERSION = answerError(400, { request: ["must be HTTP/1.1"] });
const WRONG_HOST = answerError(400, { host: ["must be there once"] });
// uWebSockets.js cannot take these safely (see uws.ts), and the two transports answer alike.
const NO_TRANSFER_ENCODING = answerError(400, {
  "transfer-encoding": ["is not supported, send Content-Length"],
});
const TOO_LARGE = answerError(413, { body: [`must have at most ${MAX_BODY_BYTES} bytes`] });

function splitUrl(url: string): [string, string] {
  const mark = url.indexOf("?");
  return mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

// Answers

async function write(
  answer: HttpAnswer,
  request: IncomingMessage,
  response: ServerResponse,
  closeAfter: boolean,
): Promise<void> {
  const { status, headers, body } = answer;
  if (closeAfter) {
    closing.add(request.socket);
    response.setHeader("connection", "close");
  }
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
      else if (++sent % PIECES_PER_TURN === 0) await setImmediate();
    }
    response.end();
  }
}

/** The kernel takes so much at once from a connection on which nothing waits. */
const SURELY_TAKEN_BYTES = 16 * 1024;
const STALL_CHECKS = 5;

/** Drops a client that takes nothing of its answer for `HTTP_STALL_MS`: Node by itself waits for twice its timeout. */
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
  /** Not the response's "drain" event: that comes only after more has waited than Node's own high-water mark. */
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
