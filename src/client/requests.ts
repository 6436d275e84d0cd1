import type { ClientMessage, ServerMessage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { RETRY_DELAY_MS } from "./limits.ts";

export type Answer = Extract<
  ServerMessage,
  { readonly type: "opened" | "closed" | "ok" | "snapshot" | "resumed" | "result" }
>;

type WithoutId<Message> = Message extends unknown ? Omit<Message, "id"> : never;

/** A message whose id is not known yet. */
export type Unnumbered = WithoutId<ClientMessage>;

export interface Request {
  readonly message: Unnumbered;
  /** Returns true when more answers to the same request follow. */
  readonly answered: (answer: Answer) => boolean | undefined;
  readonly refused: (error: PresenceError) => void;
}

/** The requests of the present connection, by message id. */
export class Requests {
  readonly #connection: Connection;
  readonly #requests = new Map<number, Request>();
  readonly #rateLimited = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Sends a message that has an answer. Returns its id. */
  request(request: Request): number {
    const id = ++this.#lastId;
    this.#requests.set(id, request);
    this.#send(id);
    return id;
  }

  /**
   * Sends a message whose answer changes nothing. An error would only say that its object is gone already.
   */
  notify(message: Unnumbered): void {
    this.request({ message, answered: () => false, refused() {} });
  }

  /** Nothing waits for the answer any more. */
  delete(id: number): void {
    this.#requests.delete(id);
  }

  /** Hands an answer to its request. One that belongs to none is ignored. */
  answered(id: number, answer: Answer): void {
    if (!this.#requests.get(id)?.answered(answer)) this.delete(id);
  }

  /**
   * Hands an error to its request, or sends a message that came too fast again later. Returns whether there
   * is a request.
   */
  refused(id: number, error: PresenceError): boolean {
    const request = this.#requests.get(id);
    if (request && error.code === "RATE_LIMITED") {
      if (this.#rateLimited.size === 0) {
        this.#timer = setTimeout(() => {
          for (const each of this.#rateLimited) this.#send(each);
          this.#rateLimited.clear();
        }, RETRY_DELAY_MS);
      }
      this.#rateLimited.add(id);
    } else {
      this.delete(id);
      request?.refused(error);
    }
    return !!request;
  }

  /** The connection is lost, and its answers with it. */
  clear(): void {
    this.#requests.clear();
    this.#rateLimited.clear();
    clearTimeout(this.#timer);
  }

  #send(id: number): void {
    const request = this.#requests.get(id);
    if (request) this.#connection.send({ ...request.message, id });
  }
}
