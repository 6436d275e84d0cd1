import { PresenceError, violation } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { Pages } from "./live-users.ts";
import type { Requests } from "./requests.ts";
import type { PresenceFilter, PresenceSnapshot } from "./types.ts";

const PATIENCE_MS = 30_000;

/** A question that is asked once, and again on each new connection until it is answered. */
export class Query {
  readonly answer: Promise<PresenceSnapshot>;
  readonly #filter: PresenceFilter;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  #settle!: (answer: PresenceSnapshot | PresenceError) => void;
  #id = 0;

  /** @param ended Called once, when it is answered or given up. */
  constructor(filter: PresenceFilter, requests: Requests, maxUsers: number, ended: (query: Query) => void) {
    this.#filter = normalFilter(filter).filter;
    this.#requests = requests;
    this.#maxUsers = maxUsers;
    this.answer = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.end(new PresenceError("TIMEOUT", "no answer in time")),
        PATIENCE_MS,
      );
      this.#settle = (answer) => {
        clearTimeout(timer);
        requests.forget(this.#id);
        ended(this);
        if (answer instanceof PresenceError) reject(answer);
        else resolve(answer);
      };
    });
  }

  ask(): void {
    const pages = new Pages(this.#maxUsers);
    this.#id = this.#requests.ask({
      message: { type: "query", filter: this.#filter },
      answered: (answer) => {
        if (answer.type !== "result") throw violation("another answer");
        try {
          const users = pages.add(answer);
          if (users !== undefined) this.#settle(users.map);
        } catch (error) {
          this.end(error as PresenceError);
        }
        // Once it is settled it is forgotten.
        return true;
      },
      refused: (error) => this.end(error),
    });
  }

  end(error: PresenceError): void {
    this.#settle(error);
  }
}
