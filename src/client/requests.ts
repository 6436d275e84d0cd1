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

type Timer = ReturnType<typeof setTimeout> | undefined;

interface Pending {
  readonly message: Unnumbered;
  readonly answered: OnAnswer;
  readonly refused: OnRefusal;
  refusals: number;
  /** While it waits to be sent again. */
  timer?: Timer;
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

  /** The ids of requests that came too fast, in order. They share a timer: there may be many. */
  const line = new Set<number>();
  let lineTimer: Timer;

  function send(id: number): void {
    line.add(id);
    if (!lineTimer) sendLine();
  }

  function sendLine(): void {
    lineTimer = undefined;
    for (const id of line) {
      if (connection.isCongested()) {
        lineTimer = setTimeout(sendLine, UPDATE_INTERVAL_MS);
        return;
      }
      line.delete(id);
      connection.send({ ...pending.get(id)!.message, id });
    }
  }

  /** Nothing waits for the answer any more. */
  function forget(id: number): void {
    clearTimeout(pending.get(id)?.timer);
    pending.delete(id);
    line.delete(id);
    if (line.size > 0) return;
    clearTimeout(lineTimer);
    lineTimer = undefined;
  }

  return {
    /** Sends a message that has an answer, as soon as that is not too fast. Returns its id. */
    request(message: Unnumbered, answered: OnAnswer, refused: OnRefusal): number {
      const id = ++lastId;
      pending.set(id, { message, answered, refused, refusals: 0 });
      send(id);
      return id;
    },

    delete: forget,

    /** Takes a message back. Returns whether that was possible: the gateway may have it already. */
    withdraw(id: number): boolean {
      const canBe = line.has(id) || !!pending.get(id)?.timer;
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
      if (one && !one.timer && !line.has(id)) {
        if (!one.refused(error)) forget(id);
        else
          one.timer = setTimeout(
            () => {
              one.timer = undefined;
              send(id);
            },
            repeatDelay(one.refusals++),
          );
      }
      return !!one;
    },

    /** The connection is lost, and its answers with it. */
    clear(): void {
      for (const id of pending.keys()) forget(id);
    },
  };
}
