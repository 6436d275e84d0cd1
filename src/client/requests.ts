import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import type { ServerMessage } from "./server-message.ts";

export type Answer = Extract<ServerMessage, { readonly type: "opened" | "snapshot" | "resumed" | "result" }>;

export interface Request {
  readonly message: object;
  /** Returns true when more answers to the same request follow. */
  readonly answered: (answer: Answer) => boolean;
  readonly refused: (error: PresenceError) => void;
}

/** A gateway may not make us wait longer to ask again. */
const MAX_RETRY_AFTER_MS = 60_000;

/** What was asked on the present connection, by message id. */
export class Requests {
  readonly #connection: Connection;
  readonly #requests = new Map<number, Request>();
  #lastId = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Returns the message's id. */
  ask(request: Request): number {
    const id = ++this.#lastId;
    this.#requests.set(id, request);
    this.#send(id);
    return id;
  }

  /** Nobody waits for it any more. */
  forget(id: number): void {
    this.#requests.delete(id);
  }

  /** Hands an answer to who asked; what nobody asked, or was answered, is let be. */
  answered(id: number, answer: Answer): void {
    if (this.#requests.get(id)?.answered(answer) === false) this.forget(id);
  }

  /** Returns false if nobody asked. What came too fast is asked again later. */
  refused(id: number, error: PresenceError, retryAfterMs: number): boolean {
    const request = this.#requests.get(id);
    if (request !== undefined && retryAfterMs > 0) {
      setTimeout(() => this.#send(id), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
    } else {
      this.forget(id);
      request?.refused(error);
    }
    return request !== undefined;
  }

  /** The connection is gone, and its answers with it. */
  clear(): void {
    this.#requests.clear();
  }

  #send(id: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#connection.send({ ...request.message, id });
  }
}
