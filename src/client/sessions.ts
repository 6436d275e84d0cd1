import { isId } from "../protocol/rules.ts";
import { ClientSession } from "./client-session.ts";
import type { Connection } from "./connection.ts";
import { pageHasFocus, unstash } from "./page-lifecycle.ts";
import type { Requests } from "./requests.ts";
import type { OpenOptions, Session, SessionEnd } from "./types.ts";

/** The sessions of a client, and what of them outlives the page. */
export class Sessions {
  readonly #appId: string;
  readonly #connection: Connection;
  readonly #requests: Requests;
  /** By the key under which the next page finds them. */
  readonly #byKey = new Map<string, ClientSession>();
  /** Those that the app has closed, and the gateway may still have. */
  readonly #closed = new Set<ClientSession>();
  /** While there is no connection: since when. */
  #lostAt = performance.now();

  constructor(appId: string, connection: Connection, requests: Requests) {
    this.#appId = appId;
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
      stashedId(key),
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
    for (const [key, session] of this.#byKey) session.resume(stashedId(key));
  }

  endAll(reason: SessionEnd | undefined): void {
    for (const session of this.#byKey.values()) {
      if (reason) session.end(reason);
      else session.close();
    }
  }

  #all(): ClientSession[] {
    // After this time the gateway has ended them.
    if (performance.now() - this.#lostAt > this.#connection.resumeWindowMs) this.#closed.clear();
    return [...this.#closed, ...this.#byKey.values()];
  }

  /** Sessions of a kind are numbered: the first of this page goes on with the first of the page before. */
  #freeKey({ kind, userId = "", key }: OpenOptions): string {
    for (let i = 0; ; i++) {
      const found = `presence-gateway ${JSON.stringify([this.#appId, kind, userId, key ?? i])}`;
      if (!this.#byKey.has(found)) return found;
      if (key !== undefined) throw new TypeError(`the key ${key} is in use`);
    }
  }
}

/** The storage belongs to everything that runs in the page: a value that is no id is not from this SDK. */
function stashedId(key: string): string | undefined {
  const id = unstash(key);
  return id && isId(id) ? id : undefined;
}
