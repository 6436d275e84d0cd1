import type { PresenceValue } from "../../client/types.ts";
import type { DiffMessage, SnapshotMessage, WebhookMessage } from "./webhook-message.ts";

/** What a message did to a copy. */
export type Outcome =
  /** The same message has been here before. */
  | { readonly kind: "repeated" }
  /** The message does not fit the copy. The receiver asks for a snapshot. */
  | { readonly kind: "misfit"; readonly why: string }
  /** A page of a snapshot that is not complete yet. */
  | { readonly kind: "page"; readonly page: number; readonly users: number }
  /** The copy is that of a whole snapshot. */
  | { readonly kind: "replaced" }
  | {
      readonly kind: "changed";
      readonly entered: readonly string[];
      readonly updated: readonly string[];
      readonly left: readonly string[];
    }
  | { readonly kind: "counted" };

interface Pages {
  readonly view: string;
  readonly version: number;
  /** The last page that came. */
  page: number;
  readonly users: Map<string, PresenceValue>;
}

/** A sender repeats a message under its id. One that was late is not much older than the last one. */
const REMEMBERED_IDS = 100;

/** The copy of a filter's result that the messages of a webhook keep right. */
export class WebhookCopy {
  #users = new Map<string, PresenceValue>();
  /** The state that the copy has; undefined before the first snapshot. */
  #position: { readonly view: string; readonly version: number } | undefined;
  /** The snapshot that is coming in. The copy is replaced when it is complete. */
  #pages: Pages | undefined;
  readonly #ids = new Set<string>();

  get users(): ReadonlyMap<string, PresenceValue> {
    return this.#users;
  }

  /** `id`: that of the message, which a repetition has too. */
  apply(id: string, message: WebhookMessage): Outcome {
    if (this.#ids.has(id)) return { kind: "repeated" };
    const outcome = this.#apply(message);
    // A message that did not fit has not been taken: its repetition gets the same answer.
    if (outcome.kind !== "misfit") this.#remember(id);
    return outcome;
  }

  #apply(message: WebhookMessage): Outcome {
    switch (message.type) {
      case "presence.snapshot":
        return this.#takePage(message);
      case "presence.diff":
        return this.#takeDiff(message);
      case "presence.count":
        return { kind: "counted" };
    }
  }

  #takePage({ data }: SnapshotMessage): Outcome {
    const { view, version, page, more, users } = data;
    if (page === 1) this.#pages = { view, version, page: 0, users: new Map() };
    const pages = this.#pages;
    if (pages === undefined || pages.view !== view || pages.version !== version || pages.page !== page - 1) {
      return { kind: "misfit", why: `page ${page} of a snapshot came, and the page before it did not` };
    }
    for (const [userId, value] of Object.entries(users)) pages.users.set(userId, value);
    pages.page = page;
    if (more) return { kind: "page", page, users: Object.keys(users).length };
    this.#users = pages.users;
    this.#position = { view, version };
    this.#pages = undefined;
    return { kind: "replaced" };
  }

  #takeDiff({ data }: DiffMessage): Outcome {
    const { view, from, version } = data;
    if (this.#position === undefined) return { kind: "misfit", why: "a diff came before any snapshot" };
    if (this.#position.view !== view) return { kind: "misfit", why: "a diff of another view came" };
    if (this.#position.version !== from) {
      const why = `a diff for version ${from} came, and the copy has version ${this.#position.version}`;
      return { kind: "misfit", why };
    }
    const entered: string[] = [];
    const updated: string[] = [];
    const left: string[] = [];
    for (const [userId, value] of Object.entries(data.users)) {
      const isKnown = this.#users.has(userId);
      if (value !== null) {
        this.#users.set(userId, value);
        (isKnown ? updated : entered).push(userId);
      } else if (this.#users.delete(userId)) left.push(userId);
    }
    this.#position = { view, version };
    return { kind: "changed", entered, updated, left };
  }

  #remember(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= REMEMBERED_IDS) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      break;
    }
  }
}
