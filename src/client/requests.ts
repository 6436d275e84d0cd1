import type { ClientMessage, ServerMessage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { UPDATE_INTERVAL_MS } from "./limits.ts";
import { repeatDelay } from "./retry.ts";

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
  /** Returns true when the request is to be made again, later. */
  readonly refused: (error: PresenceError) => boolean | undefined;
}

interface Pending {
  readonly request: Request;
  refusals: number;
  /** While it waits to be sent, or sent again. */
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/** Whether the gateway may grant later what it refuses now. */
export function isPassing({ code }: PresenceError): boolean {
  return code === "RATE_LIMITED" || code === "LIMIT_REACHED";
}

/** The requests of the present connection, by message id. */
export class Requests {
  readonly #connection: Connection;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Sends a message that has an answer, as soon as that is not too fast. Returns its id. */
  request(request: Request): number {
    const id = ++this.#lastId;
    this.#pending.set(id, { request, refusals: 0 });
    this.#send(id);
    return id;
  }

  /** Nothing waits for the answer any more. */
  delete(id: number): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  /** Takes a message back. Returns whether that was possible: the gateway may have it already. */
  withdraw(id: number): boolean {
    const canBe = !!this.#pending.get(id)?.timer;
    if (canBe) this.delete(id);
    return canBe;
  }

  /** Hands an answer to its request. One that belongs to none is ignored. */
  answered(id: number, answer: Answer): void {
    if (!this.#pending.get(id)?.request.answered(answer)) this.delete(id);
  }

  /** Hands an error to its request. Returns whether there is one. */
  refused(id: number, error: PresenceError): boolean {
    const pending = this.#pending.get(id);
    // Another refusal of what waits already says nothing new.
    if (pending && !pending.timer) {
      if (pending.request.refused(error)) this.#later(id, pending, repeatDelay(pending.refusals++));
      else this.delete(id);
    }
    return !!pending;
  }

  /** The connection is lost, and its answers with it. */
  clear(): void {
    for (const id of this.#pending.keys()) this.delete(id);
  }

  #send(id: number): void {
    const pending = this.#pending.get(id)!;
    pending.timer = undefined;
    if (this.#connection.isCongested) this.#later(id, pending, UPDATE_INTERVAL_MS);
    else this.#connection.send({ ...pending.request.message, id });
  }

  #later(id: number, pending: Pending, ms: number): void {
    pending.timer = setTimeout(() => this.#send(id), ms);
  }
}
