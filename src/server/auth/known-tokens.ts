import { hash } from "node:crypto";
import { BoundedMap } from "../../core/collections/bounded-map.ts";
import type { Principal } from "./principal.ts";

export const MAX_KNOWN_TOKENS = 1_000;

/**
 * Tokens of one app that were verified, by the SHA-256 of their whole text, for a back end that shows the same one with
 * each request. That one was known says nothing about its expiry, which is still to be checked.
 */
export class KnownTokens {
  readonly #principals = new BoundedMap<string, Principal>(MAX_KNOWN_TOKENS);

  get(token: string): Principal | undefined {
    return this.#principals.get(digest(token));
  }

  add(token: string, principal: Principal): void {
    this.#principals.set(digest(token), principal);
  }
}

function digest(token: string): string {
  return hash("sha256", token, "binary");
}
