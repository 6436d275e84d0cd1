import { PresenceError, protocolError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { QUERY_TIMEOUT_MS } from "./limits.ts";
import { assemblePages } from "./live-users.ts";
import { isPassing, type Requests } from "./requests.ts";
import type { PresenceFilter, PresenceSnapshot } from "./types.ts";

/** A query that is sent, and sent again on each new connection until it is answered. */
export interface Query {
  readonly answer: Promise<PresenceSnapshot>;
  /** Sends it. */
  request(): void;
  /** Ends it with its answer, or without one. */
  end(answer: PresenceSnapshot | PresenceError): void;
}

/** @param ended Called once, when the query is answered or given up. */
export function createQuery(
  given: PresenceFilter,
  requests: Requests,
  maxUsers: number,
  ended: (query: Query) => void,
): Query {
  const { filter } = normalFilter(given);
  let id = 0;
  let end!: Query["end"];
  const answer = new Promise<PresenceSnapshot>((resolve, reject) => {
    const timer = setTimeout(() => end(new PresenceError("TIMEOUT", "no answer in time")), QUERY_TIMEOUT_MS);
    end = (answer) => {
      clearTimeout(timer);
      requests.delete(id);
      ended(query);
      if (answer instanceof PresenceError) reject(answer);
      else resolve(answer);
    };
  });
  const query: Query = {
    answer,
    end,
    request() {
      const add = assemblePages(maxUsers);
      id = requests.request({
        message: { type: "query", filter },
        answered(answer) {
          if (answer.type !== "result") throw protocolError(answer.type);
          try {
            const users = add(answer);
            if (users) end(users);
          } catch (error) {
            end(error as PresenceError);
          }
          // Once the query is settled, its request is forgotten.
          return true;
        },
        refused(error) {
          if (isPassing(error)) return true;
          end(error);
          return undefined;
        },
      });
    },
  };
  return query;
}
