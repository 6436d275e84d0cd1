import { type ClientSession, createClientSession } from "./client-session.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { check } from "./filter.ts";
import { now } from "./pace.ts";
import { clientNames, pageHasFocus, unstash } from "./page-lifecycle.ts";
import type { Requests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import type { OpenOptions, Session } from "./types.ts";

/**
 * The sessions of a client, and what of them outlives the page.
 * @param url Of the WebSocket, which names the app as well.
 */
export function createSessions(url: string, connection: Connection, requests: Requests) {
  /** By the key under which the next page finds them. */
  const byKey = new Map<string, ClientSession>();
  /** Those that the app has closed, and the gateway may still have. */
  const closed = new Set<ClientSession>();
  /** While there is no connection: since when. */
  let lostAt = now();
  /** Of this client among those of the page, from its first session on. */
  let name = "";

  function all(): ClientSession[] {
    // After this time the gateway has ended them.
    if (now() - lostAt > connection.resumeWindowMs()) closed.clear();
    return [...closed, ...byKey.values()];
  }

  /** Sessions of a kind are numbered: the first of this page goes on with the first of the page before. */
  function freeKey({ kind, userId, key }: OpenOptions): string {
    if (!name) {
      // A page that begins as the page before did has the same names in the same order.
      name = firstFree(`presence-gateway ${url}`, clientNames());
      clientNames().add(name);
    }
    const base = `${name} ${JSON.stringify([kind, userId, key])}`;
    if (key === undefined) return firstFree(base, byKey);
    check(!byKey.has(base), "key");
    return base;
  }

  return {
    /** Whether the gateway is to be told of any. */
    get isWanted(): boolean {
      return all().length > 0;
    },

    open(options: OpenOptions): Session {
      const key = freeKey(options);
      const one = createClientSession(
        options,
        unstash(key),
        connection,
        requests,
        () => {
          byKey.delete(key);
          closed.add(one);
        },
        () => closed.delete(one),
      );
      byKey.set(key, one);
      one.focus(pageHasFocus());
      one.request();
      return one.session;
    },

    /** On a new connection: first the sessions that are closed, so that nobody sees them any longer. */
    request(): void {
      // A page in between may have stashed a session once more: no copy of this tab may find it.
      for (const key of byKey.keys()) unstash(key);
      const every = all();
      lostAt = Number.POSITIVE_INFINITY;
      for (const one of every) one.request();
    },

    lost(): void {
      for (const one of all()) one.lost();
      lostAt = now();
    },

    /** The gateway has ended a session. */
    receive(message: Content): void {
      if (message.type !== "closed" || message.id !== undefined) return;
      for (const one of byKey.values()) if (one.session.id === message.sessionId) one.ended(message.cause);
    },

    /** The gateway has ignored messages, which came too fast. */
    resyncAll(): void {
      for (const one of byKey.values()) one.resyncAll();
    },

    focus(pageHasFocus: boolean): void {
      for (const one of byKey.values()) one.focus(pageHasFocus);
    },

    /** The page is left: the next one finds its sessions. */
    stash(): void {
      for (const [key, one] of byKey) one.stash(key);
    },

    /** The page is back: a page in between may have gone on with its sessions. */
    unstash(): void {
      for (const [key, one] of byKey) one.resume(unstash(key));
    },

    end(error: PresenceError): void {
      for (const one of byKey.values()) {
        if (error.code === "CLOSED") one.session.close();
        else one.end({ cause: "error", error });
      }
      clientNames().delete(name);
      name = "";
    },
  };
}

function firstFree(base: string, taken: { has(name: string): boolean }): string {
  for (let i = 0; ; i++) if (!taken.has(base + i)) return base + i;
}
