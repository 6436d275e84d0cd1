import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Received } from "./client.ts";
import { until } from "./until.ts";

/** Answers a message, or does not. What it sends is all that the client gets. */
export type Handler = (message: Received, connection: FakeConnection) => void | Promise<void>;

/**
 * What a test has otherwise than a proper gateway: a handler for a type of message, or for `*`, those that have none of their own.
 * `connection.behave(message)` inside of it does what is proper.
 */
export type Script = Readonly<Record<string, Handler>>;

/** How an upgrade is refused; `hang`: it is never answered. */
export type Refusal = { readonly status: number; readonly headers?: Record<string, string> } | "hang";

export interface FakeServerOptions {
  /** To be there again where another one was. */
  readonly port?: number;
  readonly heartbeatMs?: number;
  readonly resumeWindowMs?: number;
}

interface FakeSession {
  readonly kind: string;
  owner: FakeConnection;
  /** As the messages set them, later ones over earlier ones. */
  fields: Record<string, Received>;
}

interface FakeView {
  readonly view: string;
  version: number;
  readonly data: Map<string, Received>;
  /** The diff that made each version after the first. */
  readonly diffs: Received[];
  readonly readers: Set<FakeConnection>;
}

export interface Recorded {
  /** By `performance.now()`. */
  readonly at: number;
  readonly connection: FakeConnection;
  readonly message: Received;
}

export class FakeConnection {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly openedAt = performance.now();
  closedAt: number | undefined;
  /** What the client closed with; 1006 if it did not say. */
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

  /** Whether nothing is answered any more. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Sends a message, or a text as it is. */
  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  sendBinary(bytes: Uint8Array): void {
    this.socket.send(bytes, { binary: true });
  }

  /** Does what a gateway does with such a message. */
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

  /** Reads on and answers nothing any more: neither messages nor pings nor a close. */
  goSilent(): void {
    this.#isSilent = true;
    // The library would answer a close frame by itself.
    this.socket.close = () => {};
  }

  /** The messages of a type, in order. */
  messages(type: string): Received[] {
    return this.received.filter(({ message }) => message?.type === type).map(({ message }) => message);
  }
}

/**
 * A gateway that does what the test tells it, right or wrong, and keeps what it is told. Without a script it is a proper small one: sessions
 * resume, views have their versions and diffs, except that nobody's presence is in a view unless the test puts it there by `push`.
 */
export class FakeServer {
  readonly connections: FakeConnection[] = [];
  /** All messages of all connections, in order. */
  readonly received: Recorded[] = [];
  /** Every request for an upgrade, refused ones included. */
  readonly attempts: { readonly at: number; readonly request: IncomingMessage }[] = [];
  readonly sessions = new Map<string, FakeSession>();
  /** Refuses upgrades while it is set. */
  refusal: Refusal | undefined;
  /** The subprotocol that is chosen, offered or not; undefined: the first one offered. */
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

  /** Replaces what is done with a type of message, from now on. */
  on(type: string, handler: Handler): void {
    this.#script.set(type, handler);
  }

  /** Does the proper thing again. */
  off(type: string): void {
    this.#script.delete(type);
  }

  /** The connection of this number, from 0, once it is there. */
  async connection(number = this.connections.length): Promise<FakeConnection> {
    await until(() => this.connections.length > number);
    return this.connections[number]!;
  }

  /** Messages of a type, over all connections. */
  messages(type: string): Received[] {
    return this.received.filter(({ message }) => message?.type === type).map(({ message }) => message);
  }

  /** The message of a type with this number, from 0, once it is there. */
  async message(type: string, number = 0): Promise<Received> {
    await until(() => this.messages(type).length > number);
    return this.messages(type)[number];
  }

  /** Changes what is in a filter's view (null: who leaves) and tells those who watch it. */
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

  /** A new run of the gateway, which knows nothing of the one before. */
  forget(): void {
    this.sessions.clear();
    this.#views.clear();
  }

  /** Drops all connections. Throws what a handler threw. */
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

/** The same for filters that are the same, as far as their writing goes. */
function canonical(filter: unknown): string {
  return JSON.stringify(Object.entries(filter ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The token's user, unchecked; null for an app token; `alice` for what is no token. */
function userIdOf(token: unknown): string | null {
  try {
    const claims = JSON.parse(Buffer.from(String(token).split(".")[1]!, "base64url").toString());
    return claims.sub ?? null;
  } catch {
    return "alice";
  }
}
