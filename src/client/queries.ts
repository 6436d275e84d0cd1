import { PresenceError, violation } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { Pages } from "./live-users.ts";
import type { Requests } from "./requests.ts";
import type { PresenceFilter, PresenceSnapshot } from "./types.ts";
import type { Wire } from "./wire.ts";

const PATIENCE_MS = 30_000;

interface Query {
  readonly filter: PresenceFilter;
  readonly resolve: (snapshot: PresenceSnapshot) => void;
  readonly reject: (error: PresenceError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  /** Of its latest request. */
  id: number;
}

/** The questions that are not answered yet: asked again on a new connection. */
export class Queries {
  readonly #wire: Wire;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  readonly #queries = new Set<Query>();

  constructor(wire: Wire, requests: Requests, maxUsers: number) {
    this.#wire = wire;
    this.#requests = requests;
    this.#maxUsers = maxUsers;
  }

  get isEmpty(): boolean {
    return this.#queries.size === 0;
  }

  ask(given: PresenceFilter): Promise<PresenceSnapshot> {
    const { filter } = normalFilter(given);
    return new Promise((resolve, reject) => {
      const query: Query = {
        filter,
        resolve,
        reject,
        timer: setTimeout(() => {
          const error = new PresenceError("TIMEOUT", `no answer within ${PATIENCE_MS} ms`);
          this.#end(query, () => reject(error));
        }, PATIENCE_MS),
        id: 0,
      };
      this.#queries.add(query);
      this.#send(query);
    });
  }

  connected(): void {
    for (const query of this.#queries) this.#send(query);
  }

  endAll(error: PresenceError): void {
    for (const query of this.#queries) this.#end(query, () => query.reject(error));
  }

  #send(query: Query): void {
    if (!this.#wire.isConnected()) return;
    const pages = new Pages(this.#maxUsers);
    query.id = this.#requests.ask(
      { type: "query", filter: query.filter },
      {
        answered: (answer) => {
          if (answer.type !== "result") throw violation("an answer of another type");
          try {
            const all = pages.add(answer.entries, answer.more);
            if (all !== undefined) this.#end(query, () => query.resolve(all.users));
          } catch (error) {
            if (!(error instanceof PresenceError) || error.code !== "LIMIT_REACHED") throw error;
            this.#end(query, () => query.reject(error));
          }
          return answer.more && this.#queries.has(query);
        },
        refused: ({ error, retryAfterMs }) => {
          if (retryAfterMs === 0) this.#end(query, () => query.reject(error));
          else
            setTimeout(() => {
              if (this.#queries.has(query)) this.#send(query);
            }, retryAfterMs);
        },
      },
    );
  }

  #end(query: Query, settle: () => void): void {
    clearTimeout(query.timer);
    this.#queries.delete(query);
    this.#requests.forget(query.id);
    settle();
  }
}
