import type { ErrorMessage } from "../protocol/wire.ts";
import { type ConnectionOwner, createConnection } from "./connection.ts";
import { PresenceError, protocolError } from "./errors.ts";
import { check, checkId, normalFilter } from "./filter.ts";
import { internals, type Part } from "./internals.ts";
import { MAX_USERS } from "./limits.ts";
import { assemblePages } from "./live-users.ts";
import { browser, watchPageLifecycle } from "./page-lifecycle.ts";
import { type Ask, createQuery } from "./query.ts";
import { createRequests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import { createSessions } from "./sessions.ts";
import { createSubscriptions } from "./subscriptions.ts";
import type {
  ClientEvents,
  ClientOptions,
  PresenceClient,
  WebSocketConstructor,
  WebSocketLike,
} from "./types.ts";

/**
 * Makes a client. It connects when it is first needed. Throws a `TypeError` for options that cannot be valid.
 */
export function createClient(options: ClientOptions): PresenceClient {
  const { token, appId, maxUsers = MAX_USERS } = options;
  const WebSocket = options.WebSocket ?? (GlobalWebSocket as unknown as WebSocketConstructor);
  check(typeof token === "string" || typeof token === "function", "token");
  checkId(appId, "appId");
  const url = realtimeUrl(options.url, appId);

  const listeners: { [Event in keyof ClientEvents]: Set<ClientEvents[Event]> } = {
    status: new Set(),
    error: new Set(),
  };
  function emit<Event extends keyof ClientEvents>(event: Event, ...args: Parameters<ClientEvents[Event]>) {
    const set = listeners[event] as Set<(...args: Parameters<ClientEvents[Event]>) => void>;
    for (const listener of set) queueMicrotask(() => set.has(listener) && listener(...args));
  }

  const owner: ConnectionOwner = {
    isNeeded: () => !(sessions.isEmpty && subscriptions.isEmpty && parts.size === 0),
    changed(status, before, detail) {
      emit("status", status, detail);
      if (before === "connected") {
        requests.clear();
        sessions.lost();
        subscriptions.lost();
        for (const part of parts) part.lost?.();
      }
      if (status === "failed") endAll(detail.error!);
    },
    connected(graceMs) {
      sessions.connected();
      subscriptions.connected(graceMs);
      for (const part of parts) part.request();
    },
    receive,
    emit,
  };
  const connection = createConnection({ url, token, WebSocket }, owner);
  let unwatchPageLifecycle: (() => void) | undefined;
  let failure: PresenceError | undefined;
  const requests = createRequests(connection);
  const sessions = createSessions(url, connection, requests);
  const subscriptions = createSubscriptions(connection, requests, maxUsers);
  /** What it is connected for besides. */
  const parts = new Set<Part>();

  function receive(message: Content): void {
    const { type } = message;
    for (const part of parts) part.receive?.(message);
    if (type === "diff") subscriptions.addDiff(message);
    else if (type === "error") refused(message);
    else if (message.id !== undefined) requests.answered(message.id, message);
    else if (type === "closed") sessions.ended(message.sessionId, message.cause);
    else if (type === "snapshot") subscriptions.addPage(message);
  }

  function refused({ id, view, code, message }: ErrorMessage): void {
    const error = new PresenceError(code, message);
    if (code === "RATE_LIMITED") connection.slowDown();
    if (view) subscriptions.ended(view, error);
    // What waits for room is made again, and the app is told why it waits.
    else if (id !== undefined && requests.refused(id, error) && code !== "LIMIT_REACHED") return;
    else if (code === "RATE_LIMITED") sessions.resyncAll();
    else emit("error", error);
  }

  function endAll(error: PresenceError): void {
    failure = error;
    unwatchPageLifecycle?.();
    unwatchPageLifecycle = undefined;
    sessions.endAll(error.code === "CLOSED" ? undefined : { cause: "error", error });
    subscriptions.endAll(error);
    for (const part of parts) part.end(error);
    requests.clear();
  }

  /**
   * Connects for what was opened, subscribed or queried, or ends it if the client has failed or is closed.
   */
  function need(): void {
    if (failure) return endAll(failure);
    unwatchPageLifecycle ??= watchPageLifecycle({
      wake: () => connection.wake(),
      pagehide() {
        sessions.stash();
        connection.suspend();
      },
      pageshow() {
        sessions.unstash();
        if (owner.isNeeded()) connection.start();
      },
      focus: (hasFocus) => sessions.focus(hasFocus),
    });
    connection.start();
  }

  const ask: Ask = (message, reader, timeoutMs) => {
    const query = createQuery(message, reader, requests, (ended) => parts.delete(ended), timeoutMs);
    add(query);
    return query.answer;
  };

  function add(part: Part): void {
    parts.add(part);
    if (connection.isConnected) part.request();
    need();
  }

  const client: PresenceClient = {
    open(openOptions) {
      const session = sessions.open(openOptions);
      need();
      return session;
    },
    subscribe(filter, listener, subscribeOptions = {}) {
      // The listed values are as the filter's `fields` say.
      const subscription = subscriptions.subscribe(filter, listener as never, subscribeOptions);
      need();
      return subscription as never;
    },
    async query(given) {
      const { filter } = normalFilter(given);
      return ask(
        () => ({ type: "query", filter }),
        () => {
          const add = assemblePages(maxUsers);
          return (answer) => {
            if (answer.type !== "result") throw protocolError(answer.type);
            return add(answer);
          };
        },
      ) as never;
    },
    status: () => connection.status,
    reconnect() {
      if (connection.status === "closed") return;
      failure = undefined;
      need();
      connection.wake();
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    async close() {
      endAll(new PresenceError("CLOSED", "closed"));
      await connection.close();
    },
  };
  internals.set(client, { connection, requests, parts, ask, add });
  return client;
}

/**
 * Used as a constructor. The global one is missed only when it is needed: a server that renders a page makes
 * a client, and never connects.
 */
function GlobalWebSocket(url: string): WebSocketLike {
  const { WebSocket } = browser;
  if (!WebSocket) throw new Error("no WebSocket: pass that of ws");
  return new WebSocket(url);
}

/**
 * The address of the WebSocket, from any way to write the gateway's. A relative one stays relative where
 * there is no page. React Native has no page either, and no whole `URL`.
 */
function realtimeUrl(gatewayUrl: string, appId: string): string {
  const base = browser.document?.baseURI ?? browser.location?.href;
  const url = (base ? new URL(gatewayUrl, base).href : gatewayUrl).replace(/^http/i, "ws");
  check(!/^(?!wss?:\/\/[^/])[^/?#]+:/i.test(url), "url");
  return `${url.replace(/\/*([?#].*)?$/, "")}/v1/${encodeURIComponent(appId)}/realtime`;
}
