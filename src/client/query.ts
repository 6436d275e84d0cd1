import { PresenceError } from "./errors.ts";
import type { AddPart } from "./internals.ts";
import { QUERY_TIMEOUT_MS } from "./limits.ts";
import { type Answer, isPassing, type Requests, type Unnumbered } from "./requests.ts";

/** Reads an answer. undefined: another one follows. May throw a `PresenceError`. */
export type ReadAnswer<Result> = (answer: Answer) => Result | undefined;

/**
 * Asks the gateway until there is an answer.
 * @param add Of the client.
 * @param message Makes the message, each time it is sent.
 * @param reader Makes what reads the answers, each time. They begin anew on a new connection.
 * @param timeoutMs How long it may take, reconnects included: 30 s if it is left out.
 */
export function ask<Result>(
  add: AddPart,
  message: () => Unnumbered,
  reader: () => ReadAnswer<Result>,
  timeoutMs?: number,
): Promise<Result> {
  return add((requests, _, remove) => createQuery(message, reader, requests, remove, timeoutMs)).answer;
}

/** A question that is sent, and sent again on each new connection until it is answered. */
export interface Query<Result> {
  readonly answer: Promise<Result>;
  /** Sends it. */
  request(): void;
  /** Ends it without an answer. */
  end(error: PresenceError): void;
}

/** @param ended Called once, when the query is answered or given up. */
export function createQuery<Result>(
  message: () => Unnumbered,
  reader: () => ReadAnswer<Result>,
  requests: Requests,
  ended: (query: Query<Result>) => void,
  timeoutMs = QUERY_TIMEOUT_MS,
): Query<Result> {
  let id = 0;
  let end!: (answer: Result | PresenceError) => undefined;
  const answer = new Promise<Result>((resolve, reject) => {
    const timer = setTimeout(() => end(new PresenceError("TIMEOUT", "no answer in time")), timeoutMs);
    end = (answer) => {
      clearTimeout(timer);
      requests.delete(id);
      ended(query);
      if (answer instanceof PresenceError) reject(answer);
      else resolve(answer);
      return undefined;
    };
  });
  const query: Query<Result> = {
    answer,
    end,
    request() {
      const read = reader();
      id = requests.request(
        message(),
        (answer) => {
          try {
            const result = read(answer);
            if (result !== undefined) end(result);
          } catch (error) {
            // A broken protocol ends the connection, and not the question.
            if ((error as PresenceError).code === "PROTOCOL") throw error;
            end(error as PresenceError);
          }
          // Once the query is settled, its request is forgotten.
          return true;
        },
        (error) => isPassing(error) || end(error),
      );
    },
  };
  return query;
}
