import { hash } from "node:crypto";
import { BoundedMap } from "../../core/collections/bounded-map.ts";
import type { Principal } from "./principal.ts";

export const MAX_KNOWN_TOKENS = 1_000;

/**
 * Verified tokens of one app, by the SHA-256 of their text, for back ends that send the same token with each
 * request. A known token may have expired since: the caller checks that.
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
