import { byUserId } from "../../core/collections/by-user-id.ts";
import { statusOfBit } from "../../core/sessions/status.ts";
import type { LastSeen, VisibleStatus } from "../../protocol/wire.ts";
import type { AppPresence } from "./app-presence.ts";

/**
 * For each user the status that others see, or when they last saw the user. Users who were never seen are
 * left out. Invisible users look like users who are offline. Undefined: the app does not keep it.
 */
export function lastSeenOf(
  presence: AppPresence,
  userIds: readonly string[],
  now: number,
): Record<string, LastSeen> | undefined {
  if (!presence.app.keepsLastSeen) return undefined;
  const found = byUserId<LastSeen>();
  presence.transact(now, ({ profiles }) => {
    for (const userId of userIds) {
      const user = presence.table.user(userId);
      if (user !== undefined && !user.isInvisible) {
        // No status but `invisible` is left.
        found[userId] = { status: statusOfBit(user.statusBit) as VisibleStatus };
      } else {
        const lastSeenAt = profiles.lastSeenAt(userId);
        if (lastSeenAt !== undefined) found[userId] = { lastSeenAt };
      }
    }
  });
  return found;
}

export const KEEPS_NO_LAST_SEEN = "this app does not keep when users were last seen: configure lastSeen";
