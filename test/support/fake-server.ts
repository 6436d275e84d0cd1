import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Received } from "./client.ts";
import { until } from "./until.ts";

/** Handles a message. The client receives only what the handler sends. */
export type Handler = (message: Received, connection: FakeConnection) => void | Promise<void>;

/**
 * Handlers for types of messages, or for `*`, all types without their own handler. Other messages get the
 * reply of a correct gateway. Inside a handler, `connection.behave(message)` sends that reply.
 */
export type Script = Readonly<Record<string, Handler>>;

/** How an upgrade is refused. With `hang` the client gets no response. */
export type Refusal = { readonly status: number; readonly headers?: Record<string, string> } | "hang";

export interface FakeServerOptions {
  /** The port of an earlier server, to take its place. */
  readonly port?: number;
  readonly heartbeatMs?: number;
  readonly resumeWindowMs?: number;
}

interface FakeSession {
  readonly kind: string;
  owner: FakeConnection;
  /** Fields as the messages set them. Later values replace earlier ones. */
  fields: Record<string, Received>;
}

interface FakeView {
  readonly view: string;
  version: number;
  readonly data: Map<string, Received>;
  /** The diffs that made each version after the first. */
  readonly diffs: Received[];
  readonly readers: Set<FakeConnection>;
}

export interface Recorded {
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
  readonly connection: FakeConnection;
  readonly message: Received;
}

export class FakeConnection {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly openedAt = performance.now();
  closedAt: number | undefined;
  /** The close code of the client; 1006 without a close frame. */
  closeCode: number | undefined;
  userId: string | null = null;
  readonly received: Recorded[] = [];
  readonly #behave: Handler;
  #isSilent = false;

  constructor(socket: WebSocket, request: IncomingMessage, behave: Handler) {
    this.socket = socket;
    this.request = request;
    this.#behave = behave;
    socket.on("error", () => {});
    socket.on("close", (code) => {
      this.closedAt = performance.now();
      this.closeCode = code;
    });
  }

  get isOpen(): boolean {
    return this.closedAt === undefined;
  }

  /** Whether the connection no longer replies. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Sends a message as JSON, or a text unchanged. */
  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  sendBinary(bytes: Uint8Array): void {
    this.socket.send(bytes, { binary: true });
  }

  /** Replies to the message as a correct gateway does. */
  async behave(message: Received): Promise<void> {
    await this.#behave(message, this);
  }

  close(code: number, reason = ""): void {
    this.socket.close(code, reason);
  }

  /** Drops the connection without a close frame. */
  drop(): void {
    this.socket.terminate();
  }

  /** Keeps reading but no longer replies: not to messages, pings or a close frame. */
  goSilent(): void {
    this.#isSilent = true;
    // Otherwise the library would reply to a close frame.
    this.socket.close = () => {};
  }

  /** The received messages of a type, in order. */
  messages(type: string): Received[] {
    return this.received.filter(({ message }) => message?.type === type).map(({ message }) => message);
  }
}

/**
 * A gateway under the control of the test, which records all messages. Without a script it is a small correct
 * gateway: sessions resume, and views have versions and diffs. Only `push` changes views; sessions do not.
 */
export class FakeServer {
  readonly connections: FakeConnection[] = [];
  /** The messages of all connections, in order. */
  readonly received: Recorded[] = [];
  /** All upgrade requests, including refused ones. */
  readonly attempts: { readonly at: number; readonly request: IncomingMessage }[] = [];
  readonly sessions = new Map<string, FakeSession>();
  /** If set, the server refuses upgrades. */
  refusal: Refusal | undefined;
  /** The subprotocol to select, even if it was not offered. Undefined selects the first offered one. */
  subprotocol: string | undefined;
  readonly #script = new Map<string, Handler>();
  readonly #views = new Map<string, FakeView>();
  readonly #hanging = new Set<Duplex>();
  readonly #errors: unknown[] = [];
  readonly #http: Server = createServer((_, response) => response.writeHead(404).end());
  readonly #sockets: WebSocketServer;
  readonly #options: FakeServerOptions;
  #nextId = 1;

  private constructor(script: Script, options: FakeServerOptions) {
    this.#options = options;
    for (const [type, handler] of Object.entries(script)) this.on(type, handler);
    this.#sockets = new WebSocketServer({
      noServer: true,
      autoPong: false,
      handleProtocols: (offered) => this.subprotocol ?? [...offered][0] ?? false,
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(script: Script = {}, options: FakeServerOptions = {}): Promise<FakeServer> {
    const server = new FakeServer(script, options);
    server.#http.listen(options.port ?? 0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Replaces the handler of a type of message from now on. */
  on(type: string, handler: Handler): void {
    this.#script.set(type, handler);
  }

  /** Restores the correct behaviour for a type of message. */
  off(type: string): void {
    this.#script.delete(type);
  }

  /** Resolves with a connection by its number, from 0, once it exists. */
  async connection(number = this.connections.length): Promise<FakeConnection> {
    await until(() => this.connections.length > number);
    return this.connections[number]!;
  }

  /** The messages of a type, over all connections. */
  messages(type: string): Received[] {
    return this.received.filter(({ message }) => message?.type === type).map(({ message }) => message);
  }

  /** Resolves with a message of a type by its number, from 0, once it exists. */
  async message(type: string, number = 0): Promise<Received> {
    await until(() => this.messages(type).length > number);
    return this.messages(type)[number];
  }

  /** Changes a filter's view and sends the diff to its subscribers. Null removes a user. */
  push(
    filter: unknown,
    data: Readonly<Record<string, unknown>>,
    causes?: Readonly<Record<string, string>>,
  ): void {
    const view = this.#view(filter);
    view.version++;
    const diff = { type: "diff", view: view.view, version: view.version, data, ...(causes && { causes }) };
    view.diffs.push(diff);
    for (const [userId, value] of Object.entries(data)) {
      if (value === null) view.data.delete(userId);
      else view.data.set(userId, value);
    }
    for (const reader of view.readers) reader.send(diff);
  }

  /** Forgets sessions and views, like a restarted gateway. */
  forget(): void {
    this.sessions.clear();
    this.#views.clear();
  }

  /** Drops all connections. Throws the error of a handler that failed. */
  async stop(): Promise<void> {
    for (const socket of this.#hanging) socket.destroy();
    for (const connection of this.connections) connection.drop();
    this.#sockets.close();
    if (this.#http.listening) {
      this.#http.close();
      this.#http.closeAllConnections();
      await once(this.#http, "close");
    }
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.attempts.push({ at: performance.now(), request });
    const { refusal } = this;
    socket.on("error", () => {});
    if (refusal === "hang") {
      this.#hanging.add(socket);
      socket.resume();
      return;
    }
    if (refusal !== undefined) {
      const headers = { ...refusal.headers, Connection: "close", "Content-Length": "0" };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ""}\r\n${lines.join("")}\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new FakeConnection(webSocket, request, (message) =>
        this.#behave(message, connection),
      );
      this.connections.push(connection);
      webSocket.on("ping", (data) => {
        if (!connection.isSilent) webSocket.pong(data);
      });
      webSocket.on("message", (data, isBinary) => void this.#receive(connection, data as Buffer, isBinary));
      webSocket.on("close", () => {
        for (const view of this.#views.values()) view.readers.delete(connection);
      });
    });
  }

  async #receive(connection: FakeConnection, data: Buffer, isBinary: boolean): Promise<void> {
    const recorded = { at: performance.now(), connection, message: isBinary ? data : parse(String(data)) };
    connection.received.push(recorded);
    this.received.push(recorded);
    if (connection.isSilent) return;
    const { message } = recorded;
    const handler = this.#script.get(message?.type) ?? this.#script.get("*");
    try {
      await (handler ?? ((received) => this.#behave(received, connection)))(message, connection);
    } catch (error) {
      this.#errors.push(error);
    }
  }

  #behave(message: Received, connection: FakeConnection): void {
    const id = message?.id === undefined ? {} : { id: message.id };
    const answer = (fields: Record<string, unknown>) => connection.send({ ...id, ...fields });
    const ok = () => {
      if (message.id !== undefined) answer({ type: "ok" });
    };
    const refuse = (code: string) => answer({ type: "error", code, message: `the test's server: ${code}` });
    switch (message?.type) {
      case "connect": {
        connection.userId = userIdOf(message.token);
        const { heartbeatMs = 16_000, resumeWindowMs = 15_000 } = this.#options;
        const { userId } = connection;
        return answer({ type: "connected", userId, nodeId: "fake", heartbeatMs, resumeWindowMs });
      }
      case "open": {
        const { type, id: _, kind, sessionId: asked, ...fields } = message;
        const known = this.sessions.get(asked);
        if (known?.kind !== kind) {
          const sessionId = `session-${this.#nextId++}`;
          this.sessions.set(sessionId, { kind, owner: connection, fields });
          return answer({ type: "opened", sessionId, resumed: false });
        }
        if (known!.owner !== connection && known!.owner.isOpen) {
          known!.owner.send({ type: "closed", sessionId: asked, cause: "replaced" });
        }
        known!.owner = connection;
        known!.fields = { ...known!.fields, ...fields };
        return answer({ type: "opened", sessionId: asked, resumed: true });
      }
      case "update": {
        const { type, id: _, sessionId: asked, ...fields } = message;
        const session = this.sessions.get(asked ?? this.#onlySession(connection));
        if (session?.owner !== connection) return refuse("NOT_FOUND");
        session.fields = { ...session.fields, ...fields };
        return ok();
      }
      case "close": {
        const sessionId = message.sessionId ?? this.#onlySession(connection);
        if (this.sessions.get(sessionId)?.owner !== connection) return refuse("NOT_FOUND");
        this.sessions.delete(sessionId);
        return answer({ type: "closed", sessionId, cause: "closed" });
      }
      case "subscribe": {
        const view = this.#view(message.filter);
        view.readers.add(connection);
        const { version } = view;
        const since = message.since;
        if (since?.view !== view.view || since.version < 1 || since.version > version) {
          const data = Object.fromEntries(view.data);
          return answer({ type: "snapshot", view: view.view, version, data });
        }
        answer({ type: "resumed", view: view.view, version: since.version });
        for (const diff of view.diffs.slice(since.version - 1)) connection.send(diff);
        return;
      }
      case "unsubscribe": {
        for (const { view, readers } of this.#views.values()) {
          if (view === message.view && readers.delete(connection)) return ok();
        }
        return refuse("NOT_FOUND");
      }
      case "query":
        return answer({ type: "result", data: Object.fromEntries(this.#view(message.filter).data) });
      case "refresh":
        return ok();
      case "ping":
        return answer({ type: "pong" });
      default:
        return refuse("BAD_MESSAGE");
    }
  }

  #onlySession(connection: FakeConnection): string | undefined {
    const own = [...this.sessions].filter(([, { owner }]) => owner === connection);
    return own.length === 1 ? own[0]![0] : undefined;
  }

  #view(filter: unknown): FakeView {
    const key = canonical(filter);
    let view = this.#views.get(key);
    if (view === undefined) {
      view = { view: `view-${this.#nextId++}`, version: 1, data: new Map(), diffs: [], readers: new Set() };
      this.#views.set(key, view);
    }
    return view;
  }
}

function parse(text: string): Received {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The same text for equal filters, whatever the order of their fields. */
function canonical(filter: unknown): string {
  return JSON.stringify(Object.entries(filter ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The user of a token, unverified. Null for an app token; `alice` for a text that is not a token. */
function userIdOf(token: unknown): string | null {
  try {
    const claims = JSON.parse(Buffer.from(String(token).split(".")[1]!, "base64url").toString());
    return claims.sub ?? null;
  } catch {
    return "alice";
  }
}
