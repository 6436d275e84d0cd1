import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { check } from "./filter.ts";
import type { Requests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import type { PresenceClient } from "./types.ts";

/** What a client is connected for, as long as it has it: its sessions, its subscriptions, each question. */
export interface Part {
  /** Whether there is anything in it to be connected for. A part that does not say so always has. */
  readonly isWanted?: boolean;
  /** On a new connection. `graceMs`: as in `ConnectionOwner.connected`. */
  request(graceMs?: number): void;
  /** The connection is lost, with what was requested. */
  lost?(): void;
  /** Sees every message that is not about the connection. May throw a `PresenceError`, which ends that. */
  receive?(message: Content): void;
  /** The client is closed, or has failed. */
  end(error: PresenceError): void;
}

/**
 * Adds a part to a client, and connects if that is needed. Returns the part.
 * @param make Makes the part. It gets what is inside the client, and a function that removes a part.
 */
export type AddPart = <Made extends Part>(
  make: (requests: Requests, connection: Connection, remove: (part: Part) => void) => Made,
) => Made;

/** The inside of each client, for functions that a page may leave out. */
export const internals = new WeakMap<PresenceClient, AddPart>();

/** Throws a `TypeError` for what is no client of this copy of the SDK. */
export function internalsOf(client: PresenceClient): AddPart {
  const add = internals.get(client);
  check(add !== undefined, "client");
  return add;
}
