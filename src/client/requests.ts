import type { PresenceError } from "./errors.ts";
import type { ServerMessage } from "./server-message.ts";

export type Answer = Extract<ServerMessage, { id: number | undefined }>;
export interface Refusal {
  readonly error: PresenceError;
  /** More than 0: not now, but then. */
  readonly retryAfterMs: number;
}

interface Request {
  /** Returns true when more answers to the same request follow. */
  readonly answered: (answer: Exclude<Answer, { type: "error" }>) => boolean;
  readonly refused: (refusal: Refusal) => void;
}

/** What was asked on the present connection, by message id. */
export class Requests {
  readonly #send: (message: object) => void;
  readonly #requests = new Map<number, Request>();
  #lastId = 0;

  constructor(send: (message: object) => void) {
    this.#send = send;
  }

  /** Returns the message's id. */
  ask(message: object, request: Request): number {
    const id = ++this.#lastId;
    this.#requests.set(id, request);
    this.#send({ ...message, id });
    return id;
  }

  /** Hands an answer to who asked; what nobody asked, or was answered, is let be. */
  answered(id: number, answer: Exclude<Answer, { type: "error" }>): void {
    const request = this.#requests.get(id);
    if (request !== undefined && !request.answered(answer)) this.#requests.delete(id);
  }

  /** Returns false if nobody asked. */
  refused(id: number, refusal: Refusal): boolean {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    request?.refused(refusal);
    return request !== undefined;
  }

  /** Nobody waits for it any more. */
  forget(id: number): void {
    this.#requests.delete(id);
  }

  /** The connection is gone, and its answers with it. */
  clear(): void {
    this.#requests.clear();
  }
}
