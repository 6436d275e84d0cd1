import type { Session, SessionConnection } from "../../core/sessions/session.ts";
import type { SessionKind, SessionPatch } from "../../protocol/wire.ts";
import type { AppPresence } from "./app-presence.ts";
import { customExcess } from "./custom-limits.ts";
import { httpSessionId, isHttpSession } from "./http-session-id.ts";
import type { SessionLife } from "./session-life.ts";
import { SHORT_OF_MEMORY, USER_IS_FULL } from "./socket-sessions.ts";

/** How many sessions of one user may be written over HTTP. */
export const MAX_HTTP_SESSIONS = 32;
/** How long such a session lives after it was written, in milliseconds. */
export const DEFAULT_TTL_MS = 60_000;

/** What a request writes about a session. */
export interface HttpSessionWrite extends SessionPatch {
  readonly kind?: SessionKind | undefined;
  readonly ttlMs?: number | undefined;
}

export type HttpSessionResult =
  | { readonly ok: true; readonly sessionId: string; readonly isNew: boolean; readonly ttlMs: number }
  /**
   * `field`: what is wrong, or too much. `isLimit`: a limit of the user is reached, which is nobody's
   * mistake.
   */
  | { readonly ok: false; readonly isLimit: boolean; readonly field: string; readonly message: string };

/**
 * Holds sessions in place of a socket. Nobody is to be told when another node or a back end takes one: the
 * next request finds out.
 */
const LEASE: SessionConnection = { onSessionTaken() {} };

/**
 * Opens or patches the session of a user with that key, and restarts its life. A refused write changes
 * nothing. If another node held the session, this one does from now on.
 */
export function writeHttpSession(
  presence: AppPresence,
  userId: string,
  key: string,
  write: HttpSessionWrite,
  now: number,
): HttpSessionResult {
  return presence.transact(now, (sessions) => put(presence, sessions, userId, key, write));
}

function put(
  presence: AppPresence,
  sessions: SessionLife,
  userId: string,
  key: string,
  write: HttpSessionWrite,
): HttpSessionResult {
  const sessionId = httpSessionId(userId, key);
  const user = presence.table.user(userId);
  const known = presence.table.get(sessionId);
  const { kind = known?.kind ?? "widget", ttlMs = DEFAULT_TTL_MS } = write;
  if (known !== undefined && kind !== known.kind) {
    const message = `the session is a ${known.kind}, which cannot change`;
    return { ok: false, isLimit: false, field: "kind", message };
  }
  let evicted: readonly Session[] = [];
  if (known === undefined) {
    if (presence.isShortOfMemory) return refuse(SHORT_OF_MEMORY);
    const held = user?.sessions.filter((session) => isHttpSession(session.sessionId)).length ?? 0;
    if (held >= MAX_HTTP_SESSIONS) {
      return refuse(`a user has at most ${MAX_HTTP_SESSIONS} sessions that are written over HTTP`);
    }
    const toEvict = sessions.sessionsToEvict(userId);
    if (toEvict === "full") return refuse(USER_IS_FULL);
    evicted = toEvict;
  }
  const freed = evicted.reduce((sum, { customBytes }) => sum + customBytes, 0);
  const excess = customExcess(known, user, write, freed);
  if (excess !== undefined) {
    return { ok: false, isLimit: excess.of === "user", field: "custom", message: excess.message };
  }
  for (const disconnected of evicted) sessions.evict(disconnected);
  const session = known ?? sessions.open(userId, kind, write, LEASE, sessionId);
  if (known !== undefined) {
    if (known.connection !== LEASE) sessions.takeOver(known, LEASE);
    sessions.update(known, write);
  }
  sessions.startLease(session, ttlMs);
  return { ok: true, sessionId, isNew: known === undefined, ttlMs };
}

/** Ends the session of a user with that key. Returns whether there was one. */
export function endHttpSession(presence: AppPresence, userId: string, key: string, now: number): boolean {
  const session = presence.table.get(httpSessionId(userId, key));
  if (session === undefined) return false;
  presence.transact(now, (sessions) => sessions.end(session, "closed"));
  return true;
}

function refuse(message: string): HttpSessionResult {
  return { ok: false, isLimit: true, field: "sessions", message };
}
