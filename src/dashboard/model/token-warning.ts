import { type Credentials, endsWithin } from "./credentials.ts";

export type TokenWarning =
  | { readonly kind: "none" }
  /** Soon the gateway will close the connection. `at`: milliseconds since 1970. */
  | { readonly kind: "ends"; readonly at: number }
  | { readonly kind: "ended"; readonly at: number }
  /** The gateway does not accept the token. */
  | { readonly kind: "refused" };

/** Time to ask somebody for another token. */
const WARN_BEFORE_MS = 10 * 60_000;

/** What to say about the token. The gateway's refusal counts, and not only the clock of this computer. */
export function tokenWarning(credentials: Credentials, isRefused: boolean, now: number): TokenWarning {
  const { expiresAt } = credentials;
  if (expiresAt !== undefined && endsWithin(credentials, 0, now)) return { kind: "ended", at: expiresAt };
  if (isRefused) return { kind: "refused" };
  if (expiresAt !== undefined && endsWithin(credentials, WARN_BEFORE_MS, now)) {
    return { kind: "ends", at: expiresAt };
  }
  return { kind: "none" };
}
