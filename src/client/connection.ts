import { retryAfter } from "../protocol/codes.ts";
import { type ClientMessage, type ServerMessage, SUBPROTOCOL } from "../protocol/wire.ts";
import { PresenceError, violation } from "./errors.ts";
import { retryDelay } from "./retry.ts";
import { type Content, readMessage } from "./server-message.ts";
import type {
  ClientEvents,
  Status,
  StatusDetail,
  TokenSource,
  WebSocketConstructor,
  WebSocketLike,
} from "./types.ts";

/** To get a token, and to be connected then. */
const TOKEN_MS = 30_000;
const CONNECT_MS = 10_000;
/** An answer to a ping takes no longer on a connection that is alive. */
const PONG_MS = 5_000;
/** A timer that comes so late tells that we slept, and nothing about the connection. */
const SLEPT_MS = 1_000;
/** A connection that lasted so long was a good one: the next try comes soon again. */
const GOOD_AFTER_MS = 5_000;
/** One that lasted so long was of use: cut again and again, we are back in time for our sessions each time. */
const USEFUL_AFTER_MS = 400;
const USEFUL_TRIES = 2;
const GOODBYE_MS = 2_000;
/** Times that a gateway may tell us, beyond which they are not believed. */
const MIN_HEARTBEAT_MS = 100;
const MAX_WAIT_MS = 60_000;
/** What may wait in the socket before updates are kept back, and folded. */
const MAX_BUFFERED = 64 * 1024;
/** Anything but 1000 means: keep my sessions for me. Browsers allow none but these for it. */
const LOST = 4000;

export interface ConnectionOptions {
  readonly url: string;
  readonly token: TokenSource;
  readonly WebSocket: WebSocketConstructor;
}

/** What the connection asks of, and tells, the client that it is of. */
export interface ConnectionOwner {
  /** Whether there is anything to be connected for. */
  isNeeded(): boolean;
  /**
   * It is there: time to say again what was said on the last one.
   * @param graceMs More than 0: the gateway is another than before, and others may need so long to come back to it.
   */
  connected(graceMs: number): void;
  lost(): void;
  /** May throw a `PresenceError`, which ends the connection. */
  receive(message: Content): void;
  /** It will not come back. */
  failed(error: PresenceError): void;
  /** Tells the app. */
  emit<Event extends keyof ClientEvents>(event: Event, ...args: Parameters<ClientEvents[Event]>): void;
}

/** One socket at a time: made when it is needed, watched, and made again after it was lost. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner;
  #status: Status = "idle";
  #socket: WebSocketLike | undefined;
  #token: string | undefined;
  /** A refused token was replaced once; another refusal is final. */
  #askedAgain = false;
  #refreshedAt = -SLEPT_MS;
  #tries = 0;
  /** Tells a token that was waited for in vain. */
  #attempt = 0;
  #connectedAt = 0;
  /** When one that was of use was lost; there may have been none. */
  #lostAt = Number.NEGATIVE_INFINITY;
  #nodeId: string | undefined;
  #heartbeatMs = 16_000;
  #resumeWindowMs = 15_000;
  /** A node that goes down says when to come back. */
  #notBefore = 0;
  /** The one timer: for the next try, for being connected, or for a sign of life. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  get status(): Status {
    return this.#status;
  }

  get isConnected(): boolean {
    return this.#status === "connected";
  }

  /** Whether what is sent would only wait. */
  get isCongested(): boolean {
    return (this.#socket?.bufferedAmount ?? 0) > MAX_BUFFERED;
  }

  /** Something is needed: connects, if nothing is under way. */
  start(): void {
    if (this.#status === "idle") this.#try();
  }

  /** Does nothing while not connected: whoever has a state says it again then. */
  send(message: ClientMessage): void {
    if (this.#status === "connected") this.#socket?.send(JSON.stringify(message));
  }

  /** The network or the page came back: does not wait for a timer that may be late. */
  wake(): void {
    if (this.#status === "connected") this.#probe();
    else if (this.#status === "reconnecting" && this.#socket === undefined) this.#retry(0);
  }

  /** The page goes, and may come back: leaves the sessions for it, or for the next. */
  suspend(): void {
    if (this.#status === "closed" || this.#status === "failed") return;
    this.#drop();
    this.#become("idle", {});
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    const wasOpen = this.#status === "connected";
    this.#forget();
    this.#become("closed", {});
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        abandon(socket);
        resolve();
      }, GOODBYE_MS);
      socket.onclose = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.close(wasOpen ? 1000 : LOST);
    });
  }

  #become(status: Status, detail: StatusDetail): void {
    if (status === this.#status && detail.retryInMs === undefined) return;
    this.#status = status;
    this.#owner.emit("status", status, detail);
  }

  async #try(): Promise<void> {
    const attempt = ++this.#attempt;
    if (this.#status !== "reconnecting") this.#become("connecting", {});
    this.#wait(TOKEN_MS, () => this.#lost(tokenError("no token in time")));
    try {
      this.#token ??= await this.#askToken();
    } catch (error) {
      if (attempt === this.#attempt) this.#lost(tokenError(error));
      return;
    }
    if (attempt !== this.#attempt) return;
    let socket: WebSocketLike;
    try {
      socket = new this.#options.WebSocket(this.#options.url, SUBPROTOCOL);
    } catch (error) {
      // What the page's policy forbids, it will forbid again.
      this.#fail(new PresenceError("DISCONNECTED", String(error)));
      return;
    }
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "connect", token: this.#token }));
    socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    socket.onerror = () => {};
    this.#wait(CONNECT_MS, () => this.#lost(noAnswer()));
  }

  async #askToken(): Promise<string> {
    const { token } = this.#options;
    // The function is called in a turn of its own, as all that is the app's.
    await undefined;
    const got = typeof token === "string" ? token : await token();
    if (typeof got !== "string") throw new TypeError("token must be a string");
    return got;
  }

  #receive(data: unknown): void {
    try {
      const message = readMessage(data);
      if (message === undefined) return;
      if (message.type === "connected") this.#connected(message);
      else if (message.type === "token_expiring") void this.#refresh();
      else if (message.type === "draining")
        this.#notBefore = performance.now() + Math.min(message.reconnectInMs, MAX_WAIT_MS);
      else if (this.#status === "connected") this.#owner.receive(message);
    } catch (error) {
      this.#lost(error instanceof PresenceError ? error : violation(String(error)));
    } finally {
      // It lives: is asked when nothing more was heard for the heartbeat.
      if (this.isConnected) this.#wait(this.#heartbeatMs, () => this.#probe());
    }
  }

  #connected({ nodeId, heartbeatMs, resumeWindowMs }: ServerMessage & { type: "connected" }): void {
    if (this.#status === "connected") throw violation("connected twice");
    this.#heartbeatMs = Math.min(Math.max(heartbeatMs, MIN_HEARTBEAT_MS), MAX_WAIT_MS);
    this.#resumeWindowMs = resumeWindowMs;
    this.#connectedAt = performance.now();
    this.#become("connected", {});
    const isAnother = this.#nodeId !== undefined && this.#nodeId !== nodeId;
    this.#nodeId = nodeId;
    this.#owner.connected(isAnother ? Math.min(resumeWindowMs, MAX_WAIT_MS) : 0);
  }

  #probe(): void {
    const askedAt = performance.now();
    this.send({ type: "ping" });
    this.#wait(PONG_MS, () => {
      if (performance.now() - askedAt > PONG_MS + SLEPT_MS) this.#probe();
      else this.#lost(noAnswer());
    });
  }

  async #refresh(): Promise<void> {
    const now = performance.now();
    // A string has no successor. And a gateway that repeats itself shall not make us ask without end.
    if (typeof this.#options.token === "string" || now - this.#refreshedAt < SLEPT_MS) return;
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
    const why = new PresenceError("DISCONNECTED", `closed: ${code} ${reason}`);
    const retry = retryAfter(code);
    this.#judge();
    if (retry === "never") return this.#fail(new PresenceError("BAD_MESSAGE", reason));
    if (retry === "new-token") {
      const isFinal = typeof this.#options.token === "string" || this.#askedAgain;
      if (isFinal) return this.#fail(new PresenceError("UNAUTHENTICATED", reason || "no valid token"));
      this.#askedAgain = true;
      this.#token = undefined;
    }
    this.#lost(why);
  }

  #lost(error: PresenceError): void {
    this.#judge();
    this.#drop();
    if (!this.#owner.isNeeded()) return this.#become("idle", {});
    const lostForMs = performance.now() - this.#lostAt;
    this.#retry(retryDelay(this.#tries++, this.#resumeWindowMs, lostForMs, Math.random()), error);
  }

  /** After a connection that was a good one, everything may be tried again. */
  #judge(): void {
    const lastedMs = this.isConnected ? performance.now() - this.#connectedAt : 0;
    if (lastedMs > USEFUL_AFTER_MS) {
      this.#tries = Math.min(this.#tries, USEFUL_TRIES);
      this.#lostAt = performance.now();
    }
    if (lastedMs > GOOD_AFTER_MS) {
      this.#tries = 0;
      this.#askedAgain = false;
    }
  }

  #retry(afterMs: number, error?: PresenceError): void {
    const retryInMs = Math.max(afterMs, this.#notBefore - performance.now());
    this.#become("reconnecting", { error, retryInMs: Math.round(retryInMs) });
    this.#wait(retryInMs, () => void this.#try());
  }

  #fail(error: PresenceError): void {
    this.#drop();
    this.#become("failed", { error });
    this.#owner.failed(error);
  }

  /** Lets go of the socket; the sessions on it stay for the next one. */
  #drop(): void {
    const socket = this.#socket;
    const wasConnected = this.#status === "connected";
    this.#forget();
    if (socket) abandon(socket);
    if (wasConnected) this.#owner.lost();
  }

  /** Nothing that belongs to the socket or the try before reaches us any more. */
  #forget(): void {
    this.#attempt++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) socket.onopen = socket.onmessage = socket.onclose = null;
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}

/** A dead one may take a minute to be closed: nobody waits for it, nor does the process, where the socket is of the package ws. */
function abandon(socket: WebSocketLike & { terminate?(code: number): void }): void {
  (socket.terminate ?? socket.close).call(socket, LOST);
}

function noAnswer(): PresenceError {
  return new PresenceError("DISCONNECTED", "no answer in time");
}

function tokenError(error: unknown): PresenceError {
  return new PresenceError("TOKEN", error instanceof Error ? error.message : String(error));
}
