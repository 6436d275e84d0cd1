import { bytesAfter, keysAfter, NEW_SESSION, type Session, type User } from "../../core/sessions/session.ts";
import { MAX_CUSTOM_BYTES, MAX_CUSTOM_KEYS, MAX_USER_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { SessionPatch } from "../../protocol/wire.ts";

/** Why a patch would break a limit on `custom`: that of a session, or that of all sessions of a user. */
export interface CustomExcess {
  readonly of: "session" | "user";
  readonly message: string;
}

/**
 * Whether the custom fields of a session, or of a new one of that user, stay within their limits after a
 * patch: undefined if they do. `freed`: bytes of the sessions that end to make room.
 */
export function customExcess(
  session: Session | undefined,
  user: User | undefined,
  patch: SessionPatch,
  freed = 0,
): CustomExcess | undefined {
  const before = session ?? NEW_SESSION;
  const bytes = bytesAfter(before, patch);
  const isTooMany = keysAfter(before, patch) > MAX_CUSTOM_KEYS;
  if (isTooMany || bytes > MAX_CUSTOM_BYTES) {
    const bound = isTooMany ? `${MAX_CUSTOM_KEYS} keys` : `${MAX_CUSTOM_BYTES} bytes of JSON`;
    return { of: "session", message: `would have more than ${bound}` };
  }
  const grows = bytes - (session?.customBytes ?? 0);
  // A session that does not grow may stay, but no session is added while the user has too much: others may
  // be ending the same sessions to make room for theirs.
  if (session !== undefined && grows <= 0) return undefined;
  if ((user?.customBytes ?? 0) + grows - freed <= MAX_USER_CUSTOM_BYTES) return undefined;
  const message = `custom of all sessions of a user has at most ${MAX_USER_CUSTOM_BYTES} bytes of JSON`;
  return { of: "user", message };
}
