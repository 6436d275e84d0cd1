import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { BodySink } from "../gateway/event-stream.ts";
import type { Frame } from "../gateway/frame.ts";
import { CLOSE_TIMEOUT_MS } from "../gateway/limits.ts";
import type { Socket } from "../gateway/socket.ts";
import {
  answerError,
  type ErrorStatus,
  type HttpAnswer,
  type HttpRequest,
  MAX_BODY_BYTES,
  type Reasons,
} from "../http/exchange.ts";
import {
  HTTP_STALL_MS,
  MAX_HEADER_BYTES,
  MAX_SKIPPED_BYTES,
  realtimeAppId,
  SUBPROTOCOL,
  type Transport,
  type TransportOptions,
} from "./transport.ts";

/** Ordinary clients do not fragment: this is ample, and bounds what a hostile one can pile up. */
const MAX_FRAGMENTS = 128;
const MAX_BUFFERED_CHUNKS = 4_096;

/** `ws` on node:http: runs wherever Node does. */
export async function listenWs(options: TransportOptions): Promise<Transport> {
  const server = createServer({
    headersTimeout: HTTP_STALL_MS,
    requestTimeout: 1.5 * HTTP_STALL_MS,
    connectionsCheckingInterval: 2_000,
    keepAliveTimeout: HTTP_STALL_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  // Silence in both directions; WebSockets and streams turn it off and are watched by the gateway.
  server.timeout = HTTP_STALL_MS;
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxMessageBytes,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  } as ConstructorParameters<typeof WebSocketServer>[0]);

  let inHand = 0;
  let onIdle: (() => void) | undefined;
  server.on("request", (request, response) => {
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
    socket.on("error", () => socket.destroy());
    try {
      if (request.headers.upgrade?.toLowerCase() !== "websocket") passOver(server, request, socket, head);
      else upgrade(options, webSockets, request, socket, head);
    } catch (error) {
      options.crashed(error);
      socket.destroy();
    }
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    if (error.code === "HPE_HEADER_OVERFLOW") refuse(socket, 431, { headers: ["are too large"] });
    else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") refuse(socket, 408, { request: ["took too long"] });
    else refuse(socket, 400, { request: ["is not valid HTTP"] });
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port, backlog: 4_096 }, () => {
      server.removeListener("error", reject);
      server.on("error", options.crashed);
      resolve();
    });
  });
  const address = server.address();
  return {
    name: "ws",
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Connections without a request in hand, kept alive or not begun, are not waited for.
        onIdle = () => server.closeAllConnections();
        if (inHand === 0) onIdle();
      }),
  };
}

/**
 * Another protocol is offered (Java's HTTP client offers h2c with each request), and may be passed over: the request
 * is read again without the offer, as the last of its connection. Node would have every such request be an upgrade.
 */
function passOver(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, rawHeaders } = request;
  let text = `${method} ${url} HTTP/1.1\r\nConnection: close\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!/^(?:connection|upgrade|http2-settings)$/i.test(name)) text += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, "latin1"), head]));
  server.emit("connection", socket);
}

// WebSockets

function upgrade(
  options: TransportOptions,
  webSockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const appId = realtimeAppId(path);
  if (appId === undefined)
    return refuse(socket, 404, { path: ["there is nothing for WebSockets at this path"] });
  const address = addressOf(options, request);
  const answer = options.upgrade({ appId, origin: request.headers.origin, address });
  if (!answer.ok) {
    const retryAfter = answer.retryAfterS === undefined ? {} : { "retry-after": String(answer.retryAfterS) };
    return refuse(socket, answer.status, { upgrade: [answer.message] }, retryAfter);
  }
  let accepted = false;
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = true;
    const adapter = new WsSocket(webSocket, socket as TcpSocket);
    const listener = answer.accept(adapter);
    const guard = (handle: () => void) => {
      try {
        handle();
      } catch (error) {
        options.crashed(error);
      }
    };
    adapter.onDrain = () => guard(() => listener.onDrain());
    // ws says what is wrong with a frame and closes by itself; without a listener the process would end.
    webSocket.on("error", () => {});
    webSocket.on("message", (data: Buffer, isBinary) =>
      guard(() => (isBinary ? listener.onBinary() : listener.onText(data.toString(), data.length))),
    );
    webSocket.on("ping", () => guard(() => listener.onControl()));
    webSocket.on("pong", () => guard(() => listener.onControl()));
    let isClosed = false;
    const onClose = (code: number) => {
      if (isClosed) return;
      isClosed = true;
      guard(() => listener.onClose(code));
    };
    // The peer has said goodbye when its close frame is here; "close" comes only when TCP has ended too.
    (webSocket as ReceivingWebSocket)._receiver?.on("conclude", onClose);
    webSocket.on("close", onClose);
  });
  // ws answers a handshake that it does not like by itself.
  if (!accepted) answer.abandon();
}

/** What tells of a close frame as it comes in. ws has it in no public type. */
interface ReceivingWebSocket extends WebSocket {
  readonly _receiver?: { on(event: "conclude", listener: (code: number) => void): unknown };
}

const TEXT = { binary: false, compress: false, fin: true };

/** The queue of the kernel-facing stream handle. Node reads it for its own timeouts; it is not in the public types. */
interface StreamHandle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

class WsSocket implements Socket {
  onDrain: () => void = () => {};
  readonly #webSocket: WebSocket;
  readonly #tcp: TcpSocket & { _handle?: StreamHandle | null };
  #waiting = false;
  readonly #flushed = () => {
    if (!this.#waiting || this.#tcp.writableLength > 0) return;
    this.#waiting = false;
    this.onDrain();
  };

  constructor(webSocket: WebSocket, tcp: TcpSocket) {
    this.#webSocket = webSocket;
    this.#tcp = tcp;
  }

  get buffered(): number {
    return this.#webSocket.bufferedAmount;
  }

  get progress(): number {
    const handle = this.#tcp._handle;
    return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
  }

  send(frame: Frame): boolean {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return true;
    this.#webSocket.send(frame.bytes, TEXT, this.#flushed);
    if (this.#tcp.writableLength === 0) return true;
    this.#waiting = true;
    return false;
  }

  ping(): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }
}

// HTTP

async function serve(
  options: TransportOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on("error", () => response.destroy());
  const body = await readBody(request);
  // The client went away in the middle of its request.
  if (body === undefined) return;
  if (typeof body === "number") {
    const isSkippable = body === 413 && Number(request.headers["content-length"]) <= MAX_SKIPPED_BYTES;
    await write(BODY_ERRORS[body], request, response, !isSkippable);
    return;
  }
  const [path = "", query = ""] = splitUrl(request.url ?? "");
  const { headers } = request;
  const copied: HttpRequest = {
    method: request.method ?? "",
    path,
    query,
    headers: {
      authorization: headers.authorization,
      "content-type": headers["content-type"],
      "last-event-id": headers["last-event-id"] as string | undefined,
      forwarded: headers.forwarded,
      "x-forwarded-for": headers["x-forwarded-for"] as string | undefined,
    },
    address: addressOf(options, request),
    body,
  };
  await write(await options.handle(copied), request, response, false);
}

function splitUrl(url: string): [string, string] {
  const mark = url.indexOf("?");
  return mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
}

const BODY_ERRORS = {
  400: answerError(400, { "transfer-encoding": ["is not supported, send Content-Length"] }),
  413: answerError(413, { body: [`must have at most ${MAX_BODY_BYTES} bytes`] }),
};

async function readBody(request: IncomingMessage): Promise<Buffer | keyof typeof BODY_ERRORS | undefined> {
  // uWebSockets.js cannot take these safely (see uws.ts), and the two transports answer alike.
  if (request.headers["transfer-encoding"] !== undefined) return 400;
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > MAX_BODY_BYTES) return 413;
  if (length === 0) return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

async function write(
  answer: HttpAnswer,
  request: IncomingMessage,
  response: ServerResponse,
  closeAfter: boolean,
): Promise<void> {
  const { status, headers, body } = answer;
  const isGone = response.destroyed || request.socket.destroyed;
  if (closeAfter) response.setHeader("connection", "close");
  if (typeof body === "string") {
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  } else if (typeof body === "function") {
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
    for (let piece = body.next(); !piece.done && !response.destroyed; piece = body.next()) {
      if (!response.write(piece.value)) await drained(response);
    }
    response.end();
  }
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
  readonly #tcp: TcpSocket & { _handle?: StreamHandle | null };
  readonly #flushed = () => {
    if (this.#response.writableLength === 0) this.onDrain();
  };

  constructor(response: ServerResponse, tcp: TcpSocket) {
    this.#response = response;
    this.#tcp = tcp;
  }

  get buffered(): number {
    return this.#response.writableLength;
  }

  get progress(): number {
    const handle = this.#tcp._handle;
    return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
  }

  send(frame: Frame): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true;
    this.#response.write(frame.bytes, this.#flushed);
    return this.#response.writableLength === 0;
  }

  end(): void {
    this.#response.end();
  }

  terminate(): void {
    this.#response.destroy();
  }
}

function addressOf(options: TransportOptions, request: IncomingMessage): string {
  const forwardedFor = request.headers["x-forwarded-for"] as string | undefined;
  return options.clientAddress(request.socket.remoteAddress ?? "", forwardedFor);
}

/** Answers on a bare socket, and ends it. */
function refuse(
  socket: Duplex,
  status: number,
  reasons: Reasons,
  headers: Record<string, string> = {},
): void {
  const { body, headers: common } = answerError(status as ErrorStatus, reasons, headers);
  const text = body as string;
  const head = Object.entries({ ...common, "content-length": Buffer.byteLength(text), connection: "close" });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${text}`);
}
