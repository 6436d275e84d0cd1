import type { ClientMessage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { UPDATE_INTERVAL_MS } from "./limits.ts";
import { repeatDelay } from "./retry.ts";
import type { HandledMessage } from "./server-message.ts";

export type Answer = Extract<
  HandledMessage,
  { readonly type: "opened" | "closed" | "ok" | "snapshot" | "resumed" | "result" | "count" | "last_seen" }
>;

type WithoutId<Message> = Message extends unknown ? Omit<Message, "id"> : never;

/** A message whose id is not known yet. */
export type Unnumbered = WithoutId<ClientMessage>;

/** Takes an answer. Returns true when more answers to the same request follow. */
export type OnAnswer = (answer: Answer) => boolean | undefined;

/** Takes a refusal. Returns true when the request is to be made again, later. */
export type OnRefusal = (error: PresenceError) => boolean | undefined;

interface Pending {
  readonly message: Unnumbered;
  readonly answered: OnAnswer;
  readonly refused: OnRefusal;
  refusals: number;
  /** While it waits to be sent, or sent again. */
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/** Whether the gateway may grant later what it refuses now. */
export function isPassing({ code }: PresenceError): boolean {
  return code === "RATE_LIMITED" || code === "LIMIT_REACHED";
}

export type Requests = ReturnType<typeof createRequests>;

/** The requests of the present connection, by message id. */
export function createRequests(connection: Connection) {
  const pending = new Map<number, Pending>();
  let lastId = 0;

  function send(id: number, one: Pending): void {
    one.timer = undefined;
    if (connection.isCongested()) later(id, one, UPDATE_INTERVAL_MS);
    else connection.send({ ...one.message, id });
  }

  function later(id: number, one: Pending, ms: number): void {
    one.timer = setTimeout(() => send(id, one), ms);
  }

  /** Nothing waits for the answer any more. */
  function forget(id: number): void {
    clearTimeout(pending.get(id)?.timer);
    pending.delete(id);
  }

  return {
    /** Sends a message that has an answer, as soon as that is not too fast. Returns its id. */
    request(message: Unnumbered, answered: OnAnswer, refused: OnRefusal): number {
      const id = ++lastId;
      const one = { message, answered, refused, refusals: 0 };
      pending.set(id, one);
      send(id, one);
      return id;
    },

    delete: forget,

    /** Takes a message back. Returns whether that was possible: the gateway may have it already. */
    withdraw(id: number): boolean {
      const canBe = !!pending.get(id)?.timer;
      if (canBe) forget(id);
      return canBe;
    },

    /** Hands an answer to its request. One that belongs to none is ignored. */
    answered(id: number, answer: Answer): void {
      if (!pending.get(id)?.answered(answer)) forget(id);
    },

    /** Hands an error to its request. Returns whether there is one. */
    refused(id: number, error: PresenceError): boolean {
      const one = pending.get(id);
      // Another refusal of what waits already says nothing new.
      if (one && !one.timer) {
        if (one.refused(error)) later(id, one, repeatDelay(one.refusals++));
        else forget(id);
      }
      return !!one;
    },

    /** The connection is lost, and its answers with it. */
    clear(): void {
      for (const id of pending.keys()) forget(id);
    },
  };
}
