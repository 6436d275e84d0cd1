import { retryPolicy } from "../protocol/codes.ts";
import { MAX_TOKEN_LENGTH } from "../protocol/rules.ts";
import type { ClientMessage, ServerMessage } from "../protocol/wire.ts";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  next,
  statusOf,
} from "./connection-state.ts";
import { PresenceError, protocolError } from "./errors.ts";
import {
  APP_TOKEN_FACTOR,
  CLOSE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  MAX_BUFFERED,
  MAX_PINGS,
  MAX_WAIT_MS,
  MIN_HEARTBEAT_MS,
  PONG_TIMEOUT_MS,
  REFRESH_INTERVAL_MS,
  REFUSED_MS,
  SLEPT_MS,
  TOKEN_TIMEOUT_MS,
} from "./limits.ts";
import { Pace } from "./pace.ts";
import { RetrySchedule } from "./retry.ts";
import { type Content, readMessage } from "./server-message.ts";
import type { Status, StatusDetail, TokenSource, WebSocketConstructor, WebSocketLike } from "./types.ts";

/**
 * Any close code but 1000 asks the gateway to keep the sessions. Browsers allow only 1000 and 3000 to 4999.
 */
const KEEP_SESSIONS = 4000;

type Connected = ServerMessage & { type: "connected" };
/** What is known of a token: the app gave it, it was sent, the gateway took it, a good connection had it. */
const GIVEN = 0;
const SENT = 1;
const TAKEN = 2;
const GOOD = 3;

export interface ConnectionOptions {
  readonly url: string;
  readonly token: TokenSource;
  readonly WebSocket: WebSocketConstructor;
}

/** What the connection asks its client, and tells it. */
export interface ConnectionOwner {
  /** Whether there is anything to be connected for. */
  isNeeded(): boolean;
  /** The status has changed, or the next attempt has a time. */
  changed(status: Status, before: Status, detail: StatusDetail): void;
  /**
   * A new connection is ready: everything is sent again.
   * @param graceMs How long other users may need to come back: more than 0 if the gateway shows another
   *   table of sessions than before.
   */
  connected(graceMs: number): void;
  /** May throw a `PresenceError`, which ends this socket. */
  receive(message: Content): void;
  /** Calls the app's listeners. */
  emit(event: "error", error: PresenceError): void;
}

/** Performs the effects of the state machine in connection-state.ts: one socket and one timer at a time. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner;
  readonly #retries = new RetrySchedule();
  #state: ConnectionState = "idle";
  #socket: WebSocketLike | undefined;
  #closing: Promise<void> | undefined;
  /** The one timer, of the present state. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #token: string | undefined;
  #trust = GIVEN;
  /** Since when fresh tokens are refused. */
  #refusedSince: number | undefined;
  /** In how many milliseconds the refused token is valid, if that was said. */
  #validInMs: number | undefined;
  #asking: Promise<string> | undefined;
  #askedAt = 0;
  #refreshedAt = -REFRESH_INTERVAL_MS;
  #tableId: string | undefined;
  #heartbeatMs = 0;
  #pace = new Pace(1);
  /** A node that goes down says when to come back. */
  #notBefore = 0;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  get status(): Status {
    return statusOf(this.#state);
  }

  get isConnected(): boolean {
    return this.status === "connected";
  }

  /** How long the gateway keeps the sessions of a lost connection. */
  get resumeWindowMs(): number {
    return this.#retries.resumeWindowMs;
  }

  /** Whether a message would wait in the socket, or come too fast for the gateway. */
  get isCongested(): boolean {
    return (this.#socket?.bufferedAmount ?? 0) > MAX_BUFFERED || this.#pace.isOver(performance.now());
  }

  /** Connects, unless that is under way. */
  start(): void {
    this.#dispatch("start");
  }

  /** Does nothing while not connected: on the next connection the owner sends its whole state. */
  send(message: ClientMessage): void {
    if (!this.isConnected) return;
    this.#pace.sent(performance.now());
    this.#socket?.send(JSON.stringify(message));
  }

  /** The gateway says that a message came too fast. */
  slowDown(): void {
    this.#pace.refused(performance.now());
  }

  /** The network or the page came back: checks the connection, or connects now instead of after a timer. */
  wake(): void {
    this.#dispatch("wake");
  }

  /** The page is left and may come back: the gateway keeps the sessions, for it or for the next page. */
  suspend(): void {
    this.#dispatch("suspend");
  }

  /** Ends the sessions. Resolves when the socket is closed, after 2 s at the latest. */
  async close(): Promise<void> {
    this.#dispatch("close");
    await this.#closing;
  }

  #dispatch(event: ConnectionEvent, error?: PresenceError): void {
    const step = next(this.#state, event);
    if (!step) return;
    const before = this.status;
    this.#state = step.state;
    clearTimeout(this.#timer);
    for (const effect of step.effects) this.#perform(effect, before, error);
  }

  #perform(effect: ConnectionEffect, before: Status, error: PresenceError | undefined): void {
    switch (effect) {
      case "drop":
        return drop(this.#release());
      case "close":
        this.#closing = close(this.#release()!, before === "connected" ? 1000 : KEEP_SESSIONS);
        return;
      case "status":
        return this.#owner.changed(this.status, before, { error });
      case "token":
        return this.#getToken();
      case "connect":
        return this.#openSocket();
      case "listen":
        return this.#startTimer(this.#heartbeatMs, () => this.wake());
      case "ping":
        return this.#ping();
      case "wait": {
        const now = performance.now();
        // Without an error the client was woken.
        const delayMs = error ? this.#retries.nextDelay(now, Math.random()) : 0;
        const retryInMs = Math.max(delayMs, this.#notBefore - now);
        this.#owner.changed(this.status, before, { error, retryInMs: Math.round(retryInMs) });
        return this.#startTimer(retryInMs, () => this.#dispatch("retry"));
      }
    }
  }

  /** Nothing that the socket does reaches this connection any more. */
  #release(): WebSocketLike | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    return socket;
  }

  #getToken(): void {
    if (this.#token !== undefined) return this.#dispatch("token");
    const asking = this.#askToken();
    this.#startTimer(this.#askedAt + TOKEN_TIMEOUT_MS - performance.now(), () => {
      this.#asking = undefined;
      this.#lost(tokenError("no token in time"));
    });
    const timer = this.#timer;
    // A token or an error that comes too late changes nothing: the connection does something else by now.
    asking.then(
      (token) => {
        if (timer !== this.#timer) return;
        this.#token = token;
        this.#trust = GIVEN;
        this.#dispatch("token");
      },
      (error) => timer === this.#timer && this.#lost(tokenError(error)),
    );
  }

  /** Asks the app, unless it is still busy with the question before. */
  #askToken(): Promise<string> {
    if (!this.#asking) {
      this.#askedAt = performance.now();
      const asking = askToken(this.#options.token);
      const done = () => {
        if (this.#asking === asking) this.#asking = undefined;
      };
      asking.then(done, done);
      this.#asking = asking;
    }
    return this.#asking;
  }

  #openSocket(): void {
    const { token, url, WebSocket } = this.#options;
    if (typeof token === "string" && !isToken(token)) {
      return this.#dispatch("rejected", tokenError(BAD_TOKEN));
    }
    let socket: WebSocketLike;
    try {
      // Without the subprotocol: browsers fail if it is offered, and a proxy keeps it from the gateway.
      socket = new WebSocket(url);
    } catch (error) {
      // What the page's policy forbids, it will forbid again.
      return this.#dispatch("rejected", new PresenceError("DISCONNECTED", String(error)));
    }
    this.#socket = socket;
    this.#validInMs = undefined;
    socket.onopen = () => {
      this.#trust ||= SENT;
      socket.send(JSON.stringify({ type: "connect", token: this.#token }));
    };
    socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    socket.onerror = () => {};
    this.#startTimer(CONNECT_TIMEOUT_MS, () => this.#lost(noAnswer()));
  }

  #receive(data: unknown): void {
    try {
      const message = readMessage(data);
      if (message?.type === "connected") this.#accepted(message);
      else if (message?.type === "token_expiring") void this.#refresh();
      else if (message?.type === "draining")
        this.#notBefore = performance.now() + Math.min(message.reconnectInMs, MAX_WAIT_MS);
      else if (message && this.isConnected) this.#owner.receive(message);
      else if (message?.type === "error") this.#validInMs = message.retryAfterMs;
      this.#dispatch("message");
    } catch (error) {
      this.#lost(error instanceof PresenceError ? error : protocolError(String(error)));
    }
  }

  /** Of an older gateway, another node counts as another table. */
  #accepted({ userId, nodeId, tableId = nodeId, heartbeatMs, resumeWindowMs }: Connected): void {
    if (this.isConnected) throw protocolError("connected");
    this.#trust = Math.max(this.#trust, TAKEN);
    this.#pace = new Pace(userId === null ? APP_TOKEN_FACTOR : 1);
    this.#heartbeatMs = Math.min(Math.max(heartbeatMs, MIN_HEARTBEAT_MS), MAX_WAIT_MS);
    this.#retries.connected(performance.now(), resumeWindowMs);
    this.#dispatch("accepted");
    this.#owner.connected(tableId === this.#tableId ? 0 : Math.min(resumeWindowMs, MAX_WAIT_MS));
    this.#tableId = tableId;
  }

  /** @param left How many pings may go without an answer because this process slept. */
  #ping(left = MAX_PINGS): void {
    const sentAt = performance.now();
    this.#startTimer(PONG_TIMEOUT_MS, () => {
      if (left > 1 && performance.now() - sentAt > PONG_TIMEOUT_MS + SLEPT_MS) this.#ping(left - 1);
      else this.#lost(noAnswer());
    });
    this.send({ type: "ping" });
  }

  async #refresh(): Promise<void> {
    const now = performance.now();
    // A string has no successor. A gateway that repeats itself must not make the client ask without end.
    if (typeof this.#options.token === "string" || now - this.#refreshedAt < REFRESH_INTERVAL_MS) return;
    this.#refreshedAt = now;
    const socket = this.#socket;
    try {
      this.#token = await this.#askToken();
      if (socket === this.#socket) this.send({ type: "refresh", token: this.#token });
    } catch (error) {
      this.#owner.emit("error", tokenError(error));
    }
  }

  #closed(code: number, reason: string): void {
    this.#noteEnd();
    const retry = retryPolicy(code);
    if (retry === "never") return this.#dispatch("rejected", new PresenceError("BAD_MESSAGE", reason));
    if (retry === "new-token") {
      const now = performance.now();
      if (this.#trust < GOOD) this.#refusedSince ??= now;
      this.#token = undefined;
      const isText = typeof this.#options.token === "string";
      if (isText && this.#validInMs! > 0) this.#notBefore = now + Math.min(this.#validInMs!, MAX_WAIT_MS);
      // A text has no successor.
      else if (isText || now - (this.#refusedSince ?? now) >= REFUSED_MS) {
        this.#refusedSince = undefined;
        return this.#dispatch("rejected", new PresenceError("UNAUTHENTICATED", reason || BAD_TOKEN));
      }
    }
    this.#lost(new PresenceError("DISCONNECTED", `closed: ${code} ${reason}`));
  }

  #lost(error: PresenceError): void {
    this.#noteEnd();
    if (this.#owner.isNeeded()) this.#dispatch("lost", error);
    else this.suspend();
  }

  /** Notes that the connection has ended. After a good one everything may be tried again. */
  #noteEnd(): void {
    if (this.isConnected && this.#retries.lost(performance.now())) {
      this.#trust = GOOD;
      this.#refusedSince = undefined;
    } else if (this.#trust === SENT) {
      // The token may be what is wrong.
      this.#token = undefined;
    }
  }

  #startTimer(ms: number, then: () => void): void {
    this.#timer = setTimeout(then, ms);
  }
}

const BAD_TOKEN = "no valid token";

function isToken(token: unknown): token is string {
  return typeof token === "string" && token !== "" && token.length <= MAX_TOKEN_LENGTH;
}

async function askToken(source: TokenSource): Promise<string> {
  // The app's function never runs inside the call that needs it.
  await undefined;
  if (typeof source === "string") return source;
  const token: unknown = await source();
  if (!isToken(token)) throw new TypeError(BAD_TOKEN);
  return token;
}

/** Resolves when the socket is closed, after 2 s at the latest. */
function close(socket: WebSocketLike, code: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      drop(socket);
      resolve();
    }, CLOSE_TIMEOUT_MS);
    socket.onclose = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.close(code);
  });
}

/**
 * A dead peer may take a minute to close. Neither the client nor, with the package ws, the process waits for
 * it.
 */
function drop(socket: (WebSocketLike & { terminate?(code: number): void }) | undefined): void {
  (socket?.terminate ?? socket?.close)?.call(socket, KEEP_SESSIONS);
}

function noAnswer(): PresenceError {
  return new PresenceError("DISCONNECTED", "no answer in time");
}

function tokenError(error: unknown): PresenceError {
  return new PresenceError("TOKEN", error instanceof Error ? error.message : String(error));
}
