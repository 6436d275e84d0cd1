import { hash } from "node:crypto";
import { BoundedMap } from "../../core/collections/bounded-map.ts";
import type { Principal } from "./principal.ts";
import type { Signer } from "./signer.ts";

export const MAX_KNOWN_TOKENS = 1_000;

/** What a token or a bare secret proves. */
export interface Credentials {
  readonly principal: Principal;
  readonly signer: Signer;
}

/**
 * Verified tokens, by the SHA-256 of their text, for clients that send the same token again. A known token
 * may have expired since: the caller checks that. The tokens must be forgotten with the keys that verified
 * them.
 */
export class KnownTokens {
  readonly #credentials = new BoundedMap<string, Credentials>(MAX_KNOWN_TOKENS);

  get(token: string): Credentials | undefined {
    return this.#credentials.get(digest(token));
  }

  add(token: string, credentials: Credentials): void {
    this.#credentials.set(digest(token), credentials);
  }
}

function digest(token: string): string {
  return hash("sha256", token, "binary");
}
