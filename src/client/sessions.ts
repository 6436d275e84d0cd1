import { ClientSession } from "./client-session.ts";
import type { Connection } from "./connection.ts";
import { clientNames, pageHasFocus, unstash } from "./page-lifecycle.ts";
import type { Requests } from "./requests.ts";
import type { OpenOptions, Session, SessionEnd } from "./types.ts";

/** The sessions of a client, and what of them outlives the page. */
export class Sessions {
  readonly #url: string;
  readonly #connection: Connection;
  readonly #requests: Requests;
  /** By the key under which the next page finds them. */
  readonly #byKey = new Map<string, ClientSession>();
  /** Those that the app has closed, and the gateway may still have. */
  readonly #closed = new Set<ClientSession>();
  /** While there is no connection: since when. */
  #lostAt = performance.now();
  /** Of this client among those of the page, from its first session on. */
  #name = "";

  /** @param url Of the WebSocket, which names the app as well. */
  constructor(url: string, connection: Connection, requests: Requests) {
    this.#url = url;
    this.#connection = connection;
    this.#requests = requests;
  }

  /** Whether the gateway need not be told of any. */
  get isEmpty(): boolean {
    return this.#all().length === 0;
  }

  open(options: OpenOptions): Session {
    const key = this.#freeKey(options);
    const session: ClientSession = new ClientSession(
      { ...options },
      unstash(key),
      this.#connection,
      this.#requests,
      () => {
        this.#byKey.delete(key);
        this.#closed.add(session);
      },
      () => this.#closed.delete(session),
    );
    this.#byKey.set(key, session);
    session.focus(pageHasFocus());
    session.request();
    return session;
  }

  /** On a new connection: first the sessions that are closed, so that nobody sees them any longer. */
  connected(): void {
    // A page in between may have stashed a session once more: no copy of this tab may find it.
    for (const key of this.#byKey.keys()) unstash(key);
    const all = this.#all();
    this.#lostAt = Number.POSITIVE_INFINITY;
    for (const session of all) session.request();
  }

  lost(): void {
    for (const session of this.#all()) session.lost();
    this.#lostAt = performance.now();
  }

  /** The gateway has ended a session. */
  ended(id: string, cause: string): void {
    for (const session of this.#byKey.values()) {
      if (session.id !== id) continue;
      if (cause === "kicked") session.end({ cause });
      // Another page has it. This page is still a session.
      else session.replaced();
    }
  }

  /** The gateway has ignored messages, which came too fast. */
  resyncAll(): void {
    for (const session of this.#byKey.values()) session.resyncAll();
  }

  focus(pageHasFocus: boolean): void {
    for (const session of this.#byKey.values()) session.focus(pageHasFocus);
  }

  /** The page is left: the next one finds its sessions. */
  stash(): void {
    for (const [key, session] of this.#byKey) session.stash(key);
  }

  /** The page is back: a page in between may have gone on with its sessions. */
  unstash(): void {
    for (const [key, session] of this.#byKey) session.resume(unstash(key));
  }

  endAll(reason: SessionEnd | undefined): void {
    for (const session of this.#byKey.values()) {
      if (reason) session.end(reason);
      else session.close();
    }
    clientNames().delete(this.#name);
    this.#name = "";
  }

  #all(): ClientSession[] {
    // After this time the gateway has ended them.
    if (performance.now() - this.#lostAt > this.#connection.resumeWindowMs) this.#closed.clear();
    return [...this.#closed, ...this.#byKey.values()];
  }

  /** Sessions of a kind are numbered: the first of this page goes on with the first of the page before. */
  #freeKey({ kind, userId, key }: OpenOptions): string {
    if (!this.#name) {
      // A page that begins as the page before did has the same names in the same order.
      this.#name = firstFree(`presence-gateway ${this.#url}`, clientNames());
      clientNames().add(this.#name);
    }
    const base = `${this.#name} ${JSON.stringify([kind, userId, key])}`;
    if (key === undefined) return firstFree(base, this.#byKey);
    if (this.#byKey.has(base)) throw new TypeError(`the key ${key} is in use`);
    return base;
  }
}

function firstFree(base: string, taken: { has(name: string): boolean }): string {
  for (let i = 0; ; i++) if (!taken.has(base + i)) return base + i;
}
