import { PresenceError, protocolError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { QUERY_TIMEOUT_MS } from "./limits.ts";
import { PageAssembler } from "./live-users.ts";
import { isPassing, type Requests } from "./requests.ts";
import type { PresenceFilter, PresenceSnapshot } from "./types.ts";

/** A query that is sent, and sent again on each new connection until it is answered. */
export class Query {
  readonly answer: Promise<PresenceSnapshot>;
  /** Ends it with its answer, or without one. */
  end!: (answer: PresenceSnapshot | PresenceError) => void;
  readonly #filter: PresenceFilter;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  #id = 0;

  /** @param ended Called once, when the query is answered or given up. */
  constructor(filter: PresenceFilter, requests: Requests, maxUsers: number, ended: (query: Query) => void) {
    this.#filter = normalFilter(filter).filter;
    this.#requests = requests;
    this.#maxUsers = maxUsers;
    this.answer = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.end(new PresenceError("TIMEOUT", "no answer in time")),
        QUERY_TIMEOUT_MS,
      );
      this.end = (answer) => {
        clearTimeout(timer);
        requests.delete(this.#id);
        ended(this);
        if (answer instanceof PresenceError) reject(answer);
        else resolve(answer);
      };
    });
  }

  request(): void {
    const pages = new PageAssembler(this.#maxUsers);
    this.#id = this.#requests.request({
      message: { type: "query", filter: this.#filter },
      answered: (answer) => {
        if (answer.type !== "result") throw protocolError(answer.type);
        try {
          const users = pages.add(answer);
          if (users) this.end(users);
        } catch (error) {
          this.end(error as PresenceError);
        }
        // Once the query is settled, its request is forgotten.
        return true;
      },
      refused: (error) => {
        if (isPassing(error)) return true;
        this.end(error);
        return undefined;
      },
    });
  }
}
