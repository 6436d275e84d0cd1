import type { Message } from "../../protocol/messages.ts";
import type { Credentials } from "../auth/known-tokens.ts";
import type { Principal } from "../auth/principal.ts";
import type { Signer } from "../auth/signer.ts";
import { CLOCK_LEEWAY_S, type Verified, verifyToken } from "../auth/token.ts";
import type { Admitted } from "./admission.ts";
import type { AppPresence } from "./app-presence.ts";
import { HeldMessages, KEY_WAIT_MS } from "./held-messages.ts";
import { TokenExpiry } from "./token-expiry.ts";

/** A token is verified once more after the keys were fetched for it, or when that takes too long. */
export type Attempt = "first" | "fetched" | "late";

/** Is told that the keys for a token were fetched, or that the fetch has failed. */
export interface KeyWaiter {
  onKeysFetched(): void;
}

/**
 * The token of one socket, from the message that brings it to its expiry: for whom it speaks, what it was
 * signed with, and what waits while the keys for it are fetched.
 */
export class SocketToken {
  readonly #presence: AppPresence;
  readonly #admitted: Pick<Admitted, "checkBudget">;
  readonly #waiter: KeyWaiter;
  #principal: Principal | undefined;
  #signer: Signer | undefined;
  #expiry: TokenExpiry | undefined;
  #held: HeldMessages | undefined;

  constructor(presence: AppPresence, admitted: Pick<Admitted, "checkBudget">, waiter: KeyWaiter) {
    this.#presence = presence;
    this.#admitted = admitted;
    this.#waiter = waiter;
  }

  /** Undefined before a token was accepted. */
  get principal(): Principal | undefined {
    return this.#principal;
  }

  /** Undefined before a token was accepted, and for a token that does not expire. */
  get expiry(): TokenExpiry | undefined {
    return this.#expiry;
  }

  /** What waits for the keys that a token needs; undefined: nothing. */
  get held(): HeldMessages | undefined {
    return this.#held;
  }

  /** Whether the app is still served, and accepts what the token was signed with. */
  get isTrusted(): boolean {
    const { app, isRetired } = this.#presence;
    return !isRetired && (this.#signer === undefined || app.trusts(this.#signer));
  }

  /**
   * Verifies the token of a message. `now`: milliseconds of the awake clock; `wallNow`: milliseconds since
   * 1970. Undefined: the keys for it are being fetched, and the message waits.
   */
  verify(
    message: Message<"connect"> | Message<"refresh">,
    byteLength: number,
    attempt: Attempt,
    now: number,
    wallNow: number,
  ): Verified | undefined {
    const { app } = this.#presence;
    // Tokens that are signed with a secret have no need of it.
    const budget = app.publicKeys === undefined ? undefined : this.#admitted.checkBudget(now);
    const options = budget && { budget, hasAwaited: attempt === "fetched" };
    const verified = verifyToken(app, message.token, wallNow, options);
    if (verified.ok) return verified;
    const { awaits } = verified;
    if (attempt !== "first" || !awaits?.request()) return verified;
    const stop = awaits.onceFetched(() => this.#waiter.onKeysFetched());
    this.#held = new HeldMessages(message, byteLength, now + KEY_WAIT_MS, stop);
    return undefined;
  }

  /** From now on the socket speaks for this principal, until the token expires. */
  accept({ principal, signer }: Credentials, wallNow: number): void {
    this.#principal = principal;
    this.#signer = signer;
    const { exp } = principal;
    this.#expiry = exp === undefined ? undefined : new TokenExpiry(exp, wallNow, CLOCK_LEEWAY_S);
  }

  /** Waits for keys no longer. Returns what has waited. */
  takeHeld(): HeldMessages | undefined {
    const held = this.#held;
    this.#held = undefined;
    held?.stop();
    return held;
  }
}
