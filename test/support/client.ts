import { once } from "node:events";
import { WebSocket } from "ws";
import { applyPatch } from "./apply-patch.ts";
import { PATIENCE_MS } from "./until.ts";
import { Waiters } from "./waiters.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look at messages of every shape
export type Received = any;

export interface ClientOptions {
  readonly appId?: string;
  readonly origin?: string;
  readonly protocols?: string[];
  readonly headers?: Record<string, string>;
  /** False: do not reply to the gateway's pings. */
  readonly autoPong?: boolean;
  /** The local address to connect from. Any address in 127/8 works. */
  readonly localAddress?: string;
}

/** A WebSocket that stores received messages in order. Tests take them one by one. */
export class TestClient {
  readonly socket: WebSocket;
  /** Messages that no test has taken yet. */
  readonly inbox: Received[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  /** The state and version of each view, computed from its snapshots and diffs. */
  readonly views = new Map<string, { version: number; data: Record<string, Received> }>();
  /** The last count of each view, and its version. */
  readonly counts = new Map<string, { version: number; users: number }>();
  pings = 0;
  readonly #waiters = new Waiters();
  #nextId = 1_000;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("ping", () => this.pings++);
    socket.on("error", () => {});
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      this.#follow(message);
      this.inbox.push(message);
      this.#waiters.wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, reason: String(reason) });
        this.#waiters.wake();
      });
    });
  }

  static async open(
    url: string,
    { origin, protocols, headers, autoPong, localAddress }: ClientOptions = {},
  ): Promise<TestClient> {
    const socket = new WebSocket(url, protocols ?? [], {
      ...(origin === undefined ? {} : { origin }),
      ...(headers === undefined ? {} : { headers }),
      ...(localAddress === undefined ? {} : { localAddress }),
      autoPong: autoPong ?? true,
    } as object);
    const client = new TestClient(socket);
    await once(socket, "open");
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Sends a message with an id and resolves with its reply, which may be an error. */
  async ask(message: Record<string, unknown>): Promise<Received> {
    const id = this.#nextId++;
    this.send({ id, ...message });
    return await this.take((received) => received.id === (message.id ?? id));
  }

  /** Opens a session and resolves with its id. */
  async open(fields: Record<string, unknown>): Promise<string> {
    const answer = await this.ask({ type: "open", kind: "widget", ...fields });
    if (answer.type !== "opened") throw new Error(`not opened: ${JSON.stringify(answer)}`);
    return answer.sessionId;
  }

  /** Subscribes and resolves with the last page of the snapshot. `views` contains the complete snapshot. */
  async subscribe(filter: unknown, since?: { view: string; version: number }): Promise<Received> {
    const id = this.#nextId++;
    this.send({ type: "subscribe", id, filter, ...(since && { since }) });
    return await this.take((received) => received.id === id && received.more !== true);
  }

  /** Takes the first message of a type. Earlier messages of other types stay. */
  next(type: string, patienceMs = PATIENCE_MS): Promise<Received> {
    return this.take((message) => message.type === type, patienceMs);
  }

  /** Takes the first message that `matches` accepts. Waits until there is one. */
  async take(matches: (message: Received) => boolean, patienceMs = PATIENCE_MS): Promise<Received> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const index = this.inbox.findIndex(matches);
      if (index !== -1) return this.inbox.splice(index, 1)[0];
      const left = deadline - performance.now();
      if (left <= 0 || this.socket.readyState === WebSocket.CLOSED) {
        const why = left <= 0 ? "in time" : "before the socket closed";
        throw new Error(
          `no such message came ${why}; there are ${JSON.stringify(this.inbox).slice(0, 2_000)}`,
        );
      }
      await this.#waiters.wait(left);
    }
  }

  /** Resolves when the gateway has processed everything sent before, because it handles messages in order. */
  async settled(): Promise<void> {
    await this.ask({ type: "ping" });
  }

  terminate(): void {
    this.socket.terminate();
  }

  #follow(message: Received): void {
    if (message.type === "snapshot") {
      const view = this.views.get(message.view);
      const isNextPage = view !== undefined && this.#paging.has(message.view);
      const data = isNextPage ? view.data : Object.create(null);
      Object.assign(data, toPlain(message.data));
      this.views.set(message.view, { version: message.version, data });
      if (message.more) this.#paging.add(message.view);
      else this.#paging.delete(message.view);
    } else if (message.type === "count" && message.view !== undefined) {
      const { view, version, users } = message;
      const before = this.counts.get(view);
      if (before !== undefined && message.id === undefined) {
        if (version !== before.version + 1) throw new Error(`gap: ${before.version} then ${version}`);
        if (users === before.users) throw new Error("a count that is no news");
      }
      this.counts.set(view, { version, users });
    } else if (message.type === "diff") {
      const view = this.views.get(message.view);
      if (view === undefined) return;
      if (message.version !== view.version + 1)
        throw new Error(`gap: ${view.version} then ${message.version}`);
      if (this.#paging.has(message.view)) throw new Error("a diff between the pages of a snapshot");
      if (Object.keys(message.data).length === 0) throw new Error("an empty diff");
      view.version = message.version;
      for (const [userId, value] of Object.entries(message.data)) {
        if (value === null) delete view.data[userId];
        else view.data[userId] = applyPatch(view.data[userId], value);
      }
    }
  }
  readonly #paging = new Set<string>();
}

function toPlain(data: Record<string, Received>): Record<string, Received> {
  return Object.assign(Object.create(null), data);
}
