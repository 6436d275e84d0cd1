import { STATUS_CODES } from "node:http";
import type { BodyListener, BodySink } from "../gateway/event-stream.ts";
import type { Frame } from "../gateway/frame.ts";
import type { Socket, SocketListener } from "../gateway/socket.ts";
import {
  answerError,
  type HttpAnswer,
  type HttpRequest,
  MAX_BODY_BYTES,
  READ_HEADERS,
} from "../http/exchange.ts";
import {
  type Accept,
  MAX_SKIPPED_BYTES,
  offersSubprotocol,
  realtimeAppId,
  SUBPROTOCOL,
  type Transport,
  type TransportOptions,
} from "./transport.ts";
import type { UwsContext, UwsModule, UwsRequest, UwsResponse, UwsWebSocket } from "./uws-types.ts";

interface UserData {
  readonly accept: Accept;
  socket: UwsSocket | undefined;
  listener: SocketListener | undefined;
}

/** uWebSockets.js: the fast one, where a build of it loads. */
export async function listenUws(uws: UwsModule, options: TransportOptions): Promise<Transport> {
  let inHand = 0;
  let onIdle: (() => void) | undefined;
  const finished = () => {
    inHand--;
    if (inHand === 0) onIdle?.();
  };

  /** An exception that reached the library would end the process. */
  const guard =
    <Args extends unknown[]>(handler: (...args: Args) => void) =>
    (...args: Args) => {
      try {
        handler(...args);
      } catch (error) {
        options.crashed(error);
      }
    };

  /** The same for handlers of requests; the library also ends the process if one returns without an answer. */
  const guardRequest =
    <Args extends unknown[]>(handler: (response: UwsResponse, ...args: Args) => void) =>
    (response: UwsResponse, ...args: Args) => {
      try {
        handler(response, ...args);
      } catch (error) {
        options.crashed(error);
        guard(() => response.close())();
      }
    };

  const app = uws.App();
  app.ws<UserData>("/*", {
    maxPayloadLength: options.maxMessageBytes,
    // The gateway bounds what waits; what it allows must never be dropped here, for a dropped diff is a silent gap.
    maxBackpressure: 4 * options.maxBufferedBytes + 4 * options.maxMessageBytes + 1024 * 1024,
    closeOnBackpressureLimit: false,
    // The gateway has its own heartbeat.
    idleTimeout: 0,
    maxLifetime: 0,
    sendPingsAutomatically: false,
    compression: uws.DISABLED,
    upgrade: guardRequest((response, request, context: UwsContext) => {
      if (isSmuggling(request)) return void response.close();
      const appId = realtimeAppId(request.getUrl());
      if (appId === undefined) {
        return send(
          response,
          answerError(404, { path: ["there is nothing for WebSockets at this path"] }),
          false,
          true,
        );
      }
      const address = addressOf(options, response, request);
      const answer = options.upgrade({ appId, origin: request.getHeader("origin") || undefined, address });
      if (!answer.ok) {
        const retryAfter =
          answer.retryAfterS === undefined ? {} : { "retry-after": String(answer.retryAfterS) };
        return send(
          response,
          answerError(answer.status, { upgrade: [answer.message] }, retryAfter),
          false,
          true,
        );
      }
      response.upgrade<UserData>(
        { accept: answer.accept, socket: undefined, listener: undefined },
        request.getHeader("sec-websocket-key"),
        offersSubprotocol(request.getHeader("sec-websocket-protocol")) ? SUBPROTOCOL : "",
        "",
        context,
      );
    }),
    open: guard((webSocket) => {
      const data = webSocket.getUserData();
      data.socket = new UwsSocket(webSocket);
      data.listener = data.accept(data.socket);
    }),
    message: guard((webSocket, message, isBinary) => {
      const { listener } = webSocket.getUserData();
      if (isBinary) listener?.onBinary();
      // The bytes are gone when this handler returns: the text is a copy.
      else listener?.onText(Buffer.from(message).toString(), message.byteLength);
    }),
    drain: guard((webSocket) => {
      const { socket, listener } = webSocket.getUserData();
      if (socket?.hasDrained()) listener?.onDrain();
    }),
    ping: guard((webSocket) => webSocket.getUserData().listener?.onControl()),
    pong: guard((webSocket) => webSocket.getUserData().listener?.onControl()),
    close: guard((webSocket, code) => {
      const { socket, listener } = webSocket.getUserData();
      socket?.closed();
      listener?.onClose(code);
    }),
  });

  app.any("/*", (response, request) => {
    // A second Content-Length or any Transfer-Encoding can hide another request in this one's body, and the library
    // would run it even after an answer with "connection: close". Dropping the connection first is what helps.
    if (isSmuggling(request)) return void response.close();
    inHand++;
    guard(serve)(options, response, request, finished);
  });

  const listenSocket = await new Promise<Parameters<UwsModule["us_listen_socket_close"]>[0] | false>(
    (resolve) => {
      app.listen(options.host, options.port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
    },
  );
  if (listenSocket === false) {
    const message = `cannot listen on ${options.host}:${options.port}: it is in use or not permitted`;
    throw Object.assign(new Error(message), { code: "EADDRINUSE" });
  }
  let closed: Promise<void> | undefined;
  return {
    name: "uws",
    port: uws.us_socket_local_port(listenSocket),
    close() {
      // Closing the listening socket twice would be a use after free.
      closed ??= new Promise((resolve) => {
        uws.us_listen_socket_close(listenSocket);
        onIdle = resolve;
        if (inHand === 0) resolve();
      });
      return closed;
    },
  };
}

function isSmuggling(request: UwsRequest): boolean {
  let lengths = 0;
  let encoded = false;
  request.forEach((name) => {
    if (name === "content-length") lengths++;
    else if (name === "transfer-encoding") encoded = true;
  });
  return encoded || lengths > 1;
}

// WebSockets

class UwsSocket implements Socket {
  readonly #webSocket: UwsWebSocket<UserData>;
  #isClosed = false;
  #waiting = false;
  #waited = 0;
  #progress = 0;

  constructor(webSocket: UwsWebSocket<UserData>) {
    this.#webSocket = webSocket;
  }

  get buffered(): number {
    return this.#isClosed || !this.#waiting ? 0 : this.#webSocket.getBufferedAmount();
  }

  get progress(): number {
    this.#measure();
    return this.#progress;
  }

  send(frame: Frame): boolean {
    if (this.#isClosed) return true;
    this.#measure();
    const result = this.#webSocket.send(frame.text, false, false);
    if (result === 1) return true;
    if (result === 2) {
      this.terminate();
      return true;
    }
    this.#waiting = true;
    this.#waited = this.#webSocket.getBufferedAmount();
    return false;
  }

  ping(): void {
    if (!this.#isClosed) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    if (!this.#isClosed) this.#webSocket.end(code, reason);
  }

  terminate(): void {
    if (!this.#isClosed) this.#webSocket.close();
  }

  /** To be called on drain events, which also come when only some was taken. */
  hasDrained(): boolean {
    this.#measure();
    if (this.#webSocket.getBufferedAmount() > 0) return false;
    this.#waiting = false;
    return true;
  }

  closed(): void {
    this.#isClosed = true;
  }

  #measure(): void {
    if (!this.#waiting || this.#isClosed) return;
    const waits = this.#webSocket.getBufferedAmount();
    if (waits < this.#waited) this.#progress++;
    this.#waited = waits;
  }
}

// HTTP

function serve(
  options: TransportOptions,
  response: UwsResponse,
  request: UwsRequest,
  finished: () => void,
): void {
  let aborted = false;
  let onGone: (() => void) | undefined;
  response.onAborted(() => {
    aborted = true;
    onGone?.();
  });
  const method = request.getMethod().toUpperCase();
  const head = {
    method,
    path: request.getUrl(),
    query: request.getQuery() ?? "",
    headers: Object.fromEntries(READ_HEADERS.map((name) => [name, request.getHeader(name) || undefined])),
    address: addressOf(options, response, request),
  };
  const reply = (answer: HttpAnswer, closeAfter = false) => {
    const { body } = answer;
    if (typeof body === "string") {
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
    } else {
      onGone = finished;
      if (aborted) finished();
      else if (method === "HEAD") {
        response.cork(() => {
          writeHead(response, answer);
          response.endWithoutBody();
        });
        finished();
      } else {
        response.cork(() => writeHead(response, answer));
        writePieces(response, body, () => aborted, finished);
      }
    }
  };
  const handle = (body: Buffer) => {
    const full: HttpRequest = { ...head, body };
    try {
      const answer = options.handle(full);
      if (answer instanceof Promise) answer.then(reply, crash);
      else reply(answer);
    } catch (error) {
      crash(error);
    }
  };
  const crash = (error: unknown) => {
    options.crashed(error);
    finished();
    if (!aborted) response.close();
  };

  const length = Number(request.getHeader("content-length") || 0);
  if (length > MAX_BODY_BYTES) return reply(TOO_LARGE, length > MAX_SKIPPED_BYTES);
  if (length === 0) return handle(Buffer.alloc(0));
  const chunks: Buffer[] = [];
  let isRead = false;
  onGone = () => {
    if (!isRead) finished();
  };
  response.onData((chunk, isLast) => {
    chunks.push(Buffer.from(chunk.slice(0)));
    if (!isLast || isRead) return;
    isRead = true;
    onGone = undefined;
    handle(Buffer.concat(chunks));
  });
}

const TOO_LARGE = answerError(413, { body: [`must have at most ${MAX_BODY_BYTES} bytes`] });

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), `${code} ${text}`]),
);

function writeHead(response: UwsResponse, { status, headers }: HttpAnswer): void {
  response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  for (const name in headers) response.writeHeader(name, headers[name]!);
}

function send(response: UwsResponse, answer: HttpAnswer, isHead: boolean, closeAfter: boolean): void {
  const body = answer.body as string;
  writeHead(response, answer);
  if (isHead) response.endWithoutBody(Buffer.byteLength(body), closeAfter);
  else response.end(body, closeAfter);
}

function writePieces(
  response: UwsResponse,
  pieces: Iterator<string>,
  isAborted: () => boolean,
  finished: () => void,
): void {
  const pump = () => {
    for (;;) {
      const piece = pieces.next();
      if (piece.done) {
        finished();
        response.end();
        return true;
      }
      if (!response.write(piece.value)) return false;
    }
  };
  response.onWritable(() => {
    let done = true;
    if (!isAborted())
      response.cork(() => {
        done = pump();
      });
    return done;
  });
  if (!isAborted()) response.cork(pump);
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
      this.#progress++;
      this.#buffered = 0;
      this.listener?.onDrain();
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
      sent = this.#response.write(frame.text);
    });
    if (!sent) this.#buffered += frame.text.length;
    return sent;
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

function addressOf(options: TransportOptions, response: UwsResponse, request: UwsRequest): string {
  const peer = Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
  // Proxies may add a line of their own after those that the client made up; getHeader would give the first alone.
  const lines: string[] = [];
  request.forEach((name, value) => {
    if (name === "x-forwarded-for") lines.push(value);
  });
  return options.clientAddress(peer, lines.length > 0 ? lines.join(", ") : undefined);
}
