import { createHash } from "node:crypto";
import { MADE_ID_LENGTH } from "../../protocol/rules.ts";
import type { SessionKind } from "../../protocol/wire.ts";

/**
 * The id of the session that a client has given a name. It has the form of the other ids that the gateway
 * makes. Every node makes the same one, and no other app, user, kind or name has it.
 */
export function idOfName(appId: string, userId: string, kind: SessionKind, name: string): string {
  const text = JSON.stringify([appId, userId, kind, name]);
  return createHash("sha256").update(text).digest("base64url").slice(0, MADE_ID_LENGTH);
}
