import type { ErrorMessage } from "../protocol/wire.ts";
import { type ConnectionOwner, createConnection } from "./connection.ts";
import { PresenceError, protocolError } from "./errors.ts";
import { check, checkId, normalFilter } from "./filter.ts";
import { type AddPart, internals, type Part } from "./internals.ts";
import { MAX_USERS } from "./limits.ts";
import { assemblePages } from "./live-users.ts";
import { browser, watchPageLifecycle } from "./page-lifecycle.ts";
import { ask } from "./query.ts";
import { type Answer, createRequests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import { createSessions } from "./sessions.ts";
import { createSubscriptions } from "./subscriptions.ts";
import type { ClientEvents, ClientOptions, PresenceClient } from "./types.ts";

/**
 * Makes a client. It connects when it is first needed. Throws a `TypeError` for options that cannot be valid.
 */
export function createClient(options: ClientOptions): PresenceClient {
  const { token, appId, maxUsers = MAX_USERS } = options;
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
    isWanted: () => [...parts].some((part) => part.isWanted ?? true),
    changed(status, before, detail) {
      emit("status", status, detail);
      if (before === "connected") {
        requests.clear();
        for (const part of parts) part.lost?.();
      }
      if (status === "failed") endAll(detail.error!);
    },
    connected(graceMs) {
      for (const part of parts) part.request(graceMs);
    },
    receive,
    emit,
  };
  const connection = createConnection(url, token, options.WebSocket, owner);
  let unwatchPageLifecycle: (() => void) | undefined;
  let failure: PresenceError | undefined;
  const requests = createRequests(connection);
  const sessions = createSessions(url, connection, requests);
  const subscriptions = createSubscriptions(connection, requests, maxUsers);
  const parts = new Set<Part>([sessions, subscriptions]);

  function receive(message: Content): void {
    const { id } = message as { readonly id?: number };
    for (const part of parts) part.receive?.(message);
    if (message.type === "error") refused(message);
    else if (id !== undefined) requests.answered(id, message as Answer);
  }

  function refused({ id, view, code, message }: ErrorMessage): void {
    const error = new PresenceError(code, message);
    if (code === "RATE_LIMITED") connection.refused();
    // The subscription is told.
    if (view) return;
    // What waits for room is made again, and the app is told why it waits.
    if (id !== undefined && requests.refused(id, error) && code !== "LIMIT_REACHED") return;
    if (code === "RATE_LIMITED") sessions.resyncAll();
    else emit("error", error);
  }

  function endAll(error: PresenceError): void {
    failure = error;
    unwatchPageLifecycle?.();
    unwatchPageLifecycle = undefined;
    for (const part of parts) part.end(error);
    requests.clear();
  }

  /**
   * Connects for what was opened, subscribed or queried, or ends it if the client has failed or is closed.
   */
  function need(): void {
    if (failure) return endAll(failure);
    unwatchPageLifecycle ??= watchPageLifecycle({
      wake: () => connection.dispatch("wake"),
      pagehide() {
        sessions.stash();
        connection.dispatch("suspend");
      },
      pageshow() {
        sessions.unstash();
        if (owner.isWanted()) connection.dispatch("start");
      },
      focus: (hasFocus) => sessions.focus(hasFocus),
    });
    connection.dispatch("start");
  }

  const add: AddPart = (make) => {
    const part = make(requests, connection, (removed) => parts.delete(removed));
    parts.add(part);
    if (connection.isConnected()) part.request();
    need();
    return part;
  };

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
        add,
        () => ({ type: "query", filter }),
        () => {
          const addPage = assemblePages(maxUsers);
          return (answer) => {
            if (answer.type !== "result") throw protocolError(answer.type);
            return addPage(answer);
          };
        },
      ) as never;
    },
    status: connection.status,
    reconnect() {
      if (connection.status() === "closed") return;
      failure = undefined;
      need();
      connection.dispatch("wake");
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
  internals.set(client, add);
  return client;
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
