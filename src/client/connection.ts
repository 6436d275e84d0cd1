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
import { createPace, now } from "./pace.ts";
import { browser } from "./page-lifecycle.ts";
import { createRetrySchedule } from "./retry.ts";
import { type Content, readMessage } from "./server-message.ts";
import type { Status, StatusDetail, TokenSource, WebSocketConstructor, WebSocketLike } from "./types.ts";

/**
 * Any close code but 1000 asks the gateway to keep the sessions. Browsers allow only 1000 and 3000 to 4999.
 */
const KEEP_SESSIONS = 4000;

type Connected = ServerMessage & { type: "connected" };

/** What the connection asks its client, and tells it. */
export interface ConnectionOwner {
  /** Whether there is anything to be connected for. */
  isWanted(): boolean;
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

export type Connection = ReturnType<typeof createConnection>;

/** Performs the effects of the state machine in connection-state.ts: one socket and one timer at a time. */
export function createConnection(
  url: string,
  source: TokenSource,
  WebSocket: WebSocketConstructor | undefined,
  owner: ConnectionOwner,
) {
  const retries = createRetrySchedule();
  let state: ConnectionState = "idle";
  let socket: WebSocketLike | undefined;
  let closing: Promise<void> | undefined;
  /** The one timer, of the present state. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let token: string | undefined;
  /** Whether the gateway has taken the token; undefined before it was sent. */
  let isTaken: boolean | undefined;
  /** Whether a good connection had the token. */
  let isGood = false;
  /** Since when fresh tokens are refused. */
  let refusedSince: number | undefined;
  /** In how many milliseconds the refused token is valid, if that was said. */
  let validInMs: number | undefined;
  let asking: Promise<string> | undefined;
  let askedAt = 0;
  let refreshedAt = -REFRESH_INTERVAL_MS;
  let tableId: string | undefined;
  let heartbeatMs = 0;
  let pace = createPace(1);
  /** A node that goes down says when to come back. */
  let notBefore = 0;

  const status = () => statusOf(state);
  const isConnected = () => status() === "connected";

  function dispatch(event: ConnectionEvent, error?: PresenceError): void {
    const step = next(state, event);
    if (!step) return;
    const before = status();
    state = step.state;
    clearTimeout(timer);
    for (const effect of step.effects) effects[effect](before, error);
  }

  const effects: Readonly<Record<ConnectionEffect, (before: Status, error?: PresenceError) => void>> = {
    drop: () => drop(release()),
    close(before) {
      closing = close(release()!, before === "connected" ? 1000 : KEEP_SESSIONS);
    },
    status: (before, error) => owner.changed(status(), before, { error }),
    token: getToken,
    socket: openSocket,
    listen: () => startTimer(heartbeatMs, () => dispatch("wake")),
    ping: () => ping(),
    wait(before, error) {
      // Without an error the client was woken.
      const delayMs = error ? retries.nextDelay(now(), Math.random()) : 0;
      const retryInMs = Math.max(delayMs, notBefore - now());
      owner.changed(status(), before, { error, retryInMs: Math.round(retryInMs) });
      startTimer(retryInMs, () => dispatch("retry"));
    },
  };

  /** Does nothing while not connected: on the next connection the owner sends its whole state. */
  function send(message: ClientMessage): void {
    if (!isConnected()) return;
    pace.sent(now());
    socket?.send(JSON.stringify(message));
  }

  /** Nothing that the socket does reaches this connection any more. */
  function release(): WebSocketLike | undefined {
    const released = socket;
    socket = undefined;
    if (released) released.onopen = released.onmessage = released.onclose = null;
    return released;
  }

  function getToken(): void {
    if (token !== undefined) return dispatch("token");
    const answer = askToken();
    startTimer(askedAt + TOKEN_TIMEOUT_MS - now(), () => {
      asking = undefined;
      lost(tokenError(noAnswer()));
    });
    const started = timer;
    // A token or an error that comes too late changes nothing: the connection does something else by now.
    answer.then(
      (fresh) => {
        if (started !== timer) return;
        token = fresh;
        isTaken = undefined;
        isGood = false;
        dispatch("token");
      },
      (error) => started === timer && lost(tokenError(error)),
    );
  }

  /** Asks the app, unless it is still busy with the question before. */
  function askToken(): Promise<string> {
    if (!asking) {
      askedAt = now();
      const question = askSource(source);
      const done = () => {
        if (asking === question) asking = undefined;
      };
      question.then(done, done);
      asking = question;
    }
    return asking;
  }

  function openSocket(): void {
    if (typeof source === "string" && !isToken(source)) return dispatch("rejected", tokenError(BAD_TOKEN));
    let opening: WebSocketLike;
    try {
      // A server that renders a page makes a client, and never comes here.
      const Socket = WebSocket ?? browser.WebSocket;
      if (!Socket) throw new Error("no WebSocket: pass that of ws");
      // Without the subprotocol: browsers fail if it is offered, and a proxy keeps it from the gateway.
      opening = new Socket(url);
    } catch (error) {
      // What the page's policy forbids, it will forbid again.
      return dispatch("rejected", new PresenceError("DISCONNECTED", String(error)));
    }
    socket = opening;
    validInMs = undefined;
    opening.onopen = () => {
      isTaken ??= false;
      opening.send(JSON.stringify({ type: "connect", token }));
    };
    opening.onmessage = receive;
    opening.onclose = closed;
    opening.onerror = () => {};
    startTimer(CONNECT_TIMEOUT_MS, () => lost(noAnswer()));
  }

  function receive({ data }: { readonly data: unknown }): void {
    try {
      const message = readMessage(data);
      if (message?.type === "connected") accepted(message);
      else if (message?.type === "token_expiring") void refresh();
      else if (message?.type === "draining") notBefore = now() + Math.min(message.reconnectInMs, MAX_WAIT_MS);
      else if (message && isConnected()) owner.receive(message);
      else if (message?.type === "error") validInMs = message.retryAfterMs;
      dispatch("message");
    } catch (error) {
      lost(error instanceof PresenceError ? error : protocolError(String(error)));
    }
  }

  function accepted(message: Connected): void {
    if (isConnected()) throw protocolError("connected");
    const { resumeWindowMs } = message;
    isTaken = true;
    pace = createPace(message.userId === null ? APP_TOKEN_FACTOR : 1);
    heartbeatMs = Math.min(Math.max(message.heartbeatMs, MIN_HEARTBEAT_MS), MAX_WAIT_MS);
    retries.connected(now(), resumeWindowMs);
    dispatch("accepted");
    // Of an older gateway, another node counts as another table.
    const before = tableId;
    tableId = message.tableId ?? message.nodeId;
    owner.connected(tableId === before ? 0 : Math.min(resumeWindowMs, MAX_WAIT_MS));
  }

  /** @param left How many pings may go without an answer because this process slept. */
  function ping(left = MAX_PINGS): void {
    const sentAt = now();
    startTimer(PONG_TIMEOUT_MS, () => {
      if (left > 1 && now() - sentAt > PONG_TIMEOUT_MS + SLEPT_MS) ping(left - 1);
      else lost(noAnswer());
    });
    send({ type: "ping" });
  }

  async function refresh(): Promise<void> {
    // A string has no successor. A gateway that repeats itself must not make the client ask without end.
    if (typeof source === "string" || now() - refreshedAt < REFRESH_INTERVAL_MS) return;
    refreshedAt = now();
    const before = socket;
    try {
      token = await askToken();
      if (before === socket) send({ type: "refresh", token });
    } catch (error) {
      owner.emit("error", tokenError(error));
    }
  }

  function closed({ code, reason }: { readonly code: number; readonly reason: string }): void {
    noteEnd();
    const retry = retryPolicy(code);
    if (retry === "never") return dispatch("rejected", new PresenceError("BAD_MESSAGE", reason));
    if (retry === "new-token") {
      if (!isGood) refusedSince ??= now();
      token = undefined;
      const isText = typeof source === "string";
      if (isText && validInMs! > 0) notBefore = now() + Math.min(validInMs!, MAX_WAIT_MS);
      // A text has no successor.
      else if (isText || now() - (refusedSince ?? now()) >= REFUSED_MS) {
        refusedSince = undefined;
        return dispatch("rejected", new PresenceError("UNAUTHENTICATED", reason || BAD_TOKEN));
      }
    }
    lost(new PresenceError("DISCONNECTED", `closed: ${code} ${reason}`));
  }

  function lost(error: PresenceError): void {
    noteEnd();
    if (owner.isWanted()) dispatch("lost", error);
    else dispatch("suspend");
  }

  /** Notes that the connection has ended. After a good one everything may be tried again. */
  function noteEnd(): void {
    if (isConnected() && retries.lost(now())) {
      isGood = true;
      refusedSince = undefined;
    } else if (isTaken === false) {
      // The token may be what is wrong.
      token = undefined;
    }
  }

  function startTimer(ms: number, then: () => void): void {
    timer = setTimeout(then, ms);
  }

  return {
    status,
    isConnected,

    /** How long the gateway keeps the sessions of a lost connection. */
    resumeWindowMs: retries.resumeWindowMs,

    /** Whether a message would wait in the socket, or come too fast for the gateway. */
    isCongested: (): boolean => (socket?.bufferedAmount ?? 0) > MAX_BUFFERED || pace.isOver(now()),

    /** Takes what happens to the page, and what the app wants: these events of the state machine. */
    dispatch: dispatch as (event: "start" | "wake" | "suspend") => void,

    send,

    /** The gateway says that a message came too fast. */
    refused: () => pace.refused(now()),

    /** Ends the sessions. Resolves when the socket is closed, after 2 s at the latest. */
    async close(): Promise<void> {
      dispatch("close");
      await closing;
    },
  };
}

const BAD_TOKEN = "no valid token";

function isToken(token: unknown): token is string {
  return typeof token === "string" && token !== "" && token.length <= MAX_TOKEN_LENGTH;
}

async function askSource(source: TokenSource): Promise<string> {
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
