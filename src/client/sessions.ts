import { idProblem } from "../protocol/rules.ts";
import { ClientSession } from "./client-session.ts";
import type { Connection } from "./connection.ts";
import { leave, pageHasFocus, take } from "./page-lifecycle.ts";
import type { Requests } from "./requests.ts";
import type { OpenOptions, Session, SessionEnd } from "./types.ts";

/** The sessions of a client, and what of them outlives the page. */
export class Sessions {
  readonly #appId: string;
  readonly #connection: Connection;
  readonly #requests: Requests;
  /** By the name under which the next page finds them. */
  readonly #byKey = new Map<string, ClientSession>();

  constructor(appId: string, connection: Connection, requests: Requests) {
    this.#appId = appId;
    this.#connection = connection;
    this.#requests = requests;
  }

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  open(options: OpenOptions): Session {
    const key = this.#freeKey(options);
    const session = new ClientSession({ ...options }, left(key), this.#connection, this.#requests, () =>
      this.#byKey.delete(key),
    );
    this.#byKey.set(key, session);
    session.focus(pageHasFocus());
    session.ask();
    return session;
  }

  connected(): void {
    for (const [key, session] of this.#byKey) {
      // A page between that left late has left what is ours again: no copy of this tab shall find it.
      take(key);
      session.ask();
    }
  }

  lost(): void {
    for (const session of this.#byKey.values()) session.interrupted();
  }

  /** The gateway ended one. */
  ended(id: string, cause: string): void {
    const session = [...this.#byKey.values()].find((each) => each.id === id);
    if (cause === "kicked") session?.end({ cause });
    // Another page has it, or we lost track: this page is a session all the same.
    else session?.replaced();
  }

  repeat(): void {
    for (const session of this.#byKey.values()) session.repeat();
  }

  focus(pageHasFocus: boolean): void {
    for (const session of this.#byKey.values()) session.focus(pageHasFocus);
  }

  /** The page is left: whoever comes next finds its sessions. */
  leave(): void {
    for (const [key, { resumableId }] of this.#byKey) if (resumableId !== undefined) leave(key, resumableId);
  }

  /** The page is back: a page between may have gone on with its sessions. */
  takeBack(): void {
    for (const [key, session] of this.#byKey) session.resume(left(key));
  }

  endAll(reason: SessionEnd | undefined): void {
    for (const session of this.#byKey.values()) {
      if (reason === undefined) session.close();
      else session.end(reason);
    }
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

/** Storage is shared with whatever else runs in the page: what is no id was not left by us. */
function left(key: string): string | undefined {
  const id = take(key);
  return id === undefined || idProblem(id) !== undefined ? undefined : id;
}
