import { hash } from "node:crypto";

/** No id that the gateway makes for other sessions begins like this. */
const PREFIX = "http:";
/** Base64url characters of the hash: 126 bits. */
const HASH_CHARS = 21;

/** The id of a session that is written over HTTP. It follows from user and key, the same on all nodes. */
export function httpSessionId(userId: string, key: string): string {
  // A key has no line break.
  return PREFIX + hash("sha256", `${key}\n${userId}`, "base64url").slice(0, HASH_CHARS);
}

/** Whether a session was written over HTTP. */
export function isHttpSession(sessionId: string): boolean {
  return sessionId.startsWith(PREFIX);
}
