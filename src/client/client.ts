import type { ErrorMessage } from "../protocol/wire.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { PresenceError } from "./errors.ts";
import { checkId } from "./filter.ts";
import { watchPage } from "./page-lifecycle.ts";
import { Query } from "./query.ts";
import { Requests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import { Sessions } from "./sessions.ts";
import { Watches } from "./subscriptions.ts";
import type { ClientEvents, ClientOptions, PresenceClient, WebSocketConstructor } from "./types.ts";

const MAX_USERS = 250_000;

/** Makes a client. It connects when it is first needed. Throws a `TypeError` for options that can't be valid. */
export function createClient(options: ClientOptions): PresenceClient {
  const { token, appId, maxUsers = MAX_USERS } = options;
  const WebSocket =
    options.WebSocket ?? (globalThis as unknown as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (WebSocket === undefined) {
    throw new TypeError("no WebSocket: give that of the package ws");
  }
  if (typeof token !== "string" && typeof token !== "function") {
    throw new TypeError("token must be a string or a function");
  }
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
    isNeeded: () => !(sessions.isEmpty && watches.isEmpty && queries.size === 0),
    connected(graceMs) {
      sessions.connected();
      watches.connected(graceMs);
      for (const query of queries) query.ask();
    },
    lost() {
      requests.clear();
      sessions.lost();
      watches.lost();
    },
    receive,
    failed: endAll,
    emit,
  };
  const connection = new Connection({ url, token, WebSocket }, owner);
  let unwatchPage: (() => void) | undefined;
  let failure: PresenceError | undefined;
  const requests = new Requests(connection);
  const sessions = new Sessions(appId, connection, requests);
  const watches = new Watches(connection, requests, maxUsers);
  const queries = new Set<Query>();

  function receive(message: Content): void {
    const { type } = message;
    if (type === "diff") watches.diff(message);
    else if (type === "error") refused(message);
    else if (message.id !== undefined) requests.answered(message.id, message);
    else if (type === "closed") sessions.ended(message.sessionId, message.cause);
    else if (type === "snapshot") watches.page(message);
  }

  function refused({ id, view, code, message }: ErrorMessage): void {
    const error = new PresenceError(code, message);
    if (view !== undefined) watches.ended(view, error);
    else if (id !== undefined && requests.refused(id, error)) return;
    else if (code === "RATE_LIMITED") sessions.repeat();
    else emit("error", error);
  }

  function endAll(error: PresenceError): void {
    failure = error;
    unwatchPage?.();
    sessions.endAll(error.code === "CLOSED" ? undefined : { cause: "error", error });
    watches.endAll(error);
    for (const query of queries) query.end(error);
    requests.clear();
  }

  /** Whoever has asked for something by now is told that it can't be, or is connected. */
  function need(): void {
    if (failure !== undefined) return endAll(failure);
    unwatchPage ??= watchPage({
      awake: () => connection.wake(),
      hidden() {
        sessions.leave();
        connection.suspend();
      },
      shown() {
        sessions.takeBack();
        if (owner.isNeeded()) connection.start();
      },
      focused: (hasFocus) => sessions.focus(hasFocus),
    });
    connection.start();
  }

  return {
    open(openOptions) {
      const session = sessions.open(openOptions);
      need();
      return session;
    },
    subscribe(filter, listener, subscribeOptions = {}) {
      const subscription = watches.subscribe(filter, listener, subscribeOptions);
      need();
      return subscription;
    },
    async query(filter) {
      const query = new Query(filter, requests, maxUsers, (ended) => queries.delete(ended));
      queries.add(query);
      if (connection.isConnected) query.ask();
      need();
      return await query.answer;
    },
    status: () => connection.status,
    on(event, listener) {
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    async close() {
      endAll(new PresenceError("CLOSED", "closed"));
      await connection.close();
    },
  };
}

/** The address of the WebSocket, from any way to write the gateway's. */
function realtimeUrl(base: string, appId: string): string {
  const { protocol, host, pathname } = new URL(base);
  const scheme = /^(?:http|ws)(s?):$/.exec(protocol);
  if (!scheme) throw new TypeError("url must be of http, https, ws or wss");
  return `ws${scheme[1]}://${host}${pathname.replace(/\/+$/, "")}/v1/${encodeURIComponent(appId)}/realtime`;
}
