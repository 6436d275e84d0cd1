import type { ClientMessage, ServerMessage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";

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
  readonly answered: (answer: Answer) => boolean;
  readonly refused: (error: PresenceError) => void;
}

/** What came too fast is said again so much later: a gateway lets a whole burst through again by then, and not one message. */
export const AGAIN_MS = 2_000;

/** What was asked on the present connection, by message id. */
export class Requests {
  readonly #connection: Connection;
  readonly #requests = new Map<number, Request>();
  readonly #undone = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
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

  /** Asks for what has no other answer than that it is done. What is gone already is no less gone. */
  tell(message: Unnumbered): void {
    this.ask({ message, answered: () => false, refused() {} });
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
  refused(id: number, error: PresenceError): boolean {
    const request = this.#requests.get(id);
    if (request !== undefined && error.code === "RATE_LIMITED") {
      if (this.#undone.size === 0) {
        this.#timer = setTimeout(() => {
          for (const each of this.#undone) this.#send(each);
          this.#undone.clear();
        }, AGAIN_MS);
      }
      this.#undone.add(id);
    } else {
      this.forget(id);
      request?.refused(error);
    }
    return request !== undefined;
  }

  /** The connection is gone, and its answers with it. */
  clear(): void {
    this.#requests.clear();
    this.#undone.clear();
    clearTimeout(this.#timer);
  }

  #send(id: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#connection.send({ ...request.message, id });
  }
}
