import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { check } from "./filter.ts";
import type { Ask } from "./query.ts";
import type { Requests } from "./requests.ts";
import type { Content } from "./server-message.ts";
import type { PresenceClient } from "./types.ts";

/** What a client is connected for, besides its sessions and subscriptions, as long as it has it. */
export interface Part {
  /** On a new connection. */
  request(): void;
  /** The connection is lost, with what was requested. */
  lost?(): void;
  /** Sees every message that is not about the connection. May throw a `PresenceError`, which ends that. */
  receive?(message: Content): void;
  /** The client is closed, or has failed. */
  end(error: PresenceError): void;
}

/** The inside of a client, for functions that a page may leave out. */
export interface Internals {
  readonly connection: Connection;
  readonly requests: Requests;
  readonly ask: Ask;
  readonly parts: Set<Part>;
  /** Adds it to the parts, and connects if that is needed. */
  add(part: Part): void;
}

export const internals = new WeakMap<PresenceClient, Internals>();

/** Throws a `TypeError` for what is no client of this copy of the SDK. */
export function internalsOf(client: PresenceClient): Internals {
  const inside = internals.get(client);
  check(inside !== undefined, "client");
  return inside;
}
