import { isObject } from "../protocol/rules.ts";
import { protocolError } from "./errors.ts";
import { internalsOf } from "./internals.ts";
import { ask } from "./query.ts";
import type { LastSeen, PresenceClient } from "./types.ts";

/**
 * When others last saw these users, at most 1000. Users who were never seen are left out. Rejects with a
 * `PresenceError`, after 30 s at the latest; `NOT_FOUND`: the app does not keep this.
 */
export function lastSeen(
  client: PresenceClient,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, LastSeen>> {
  const ids = [...userIds];
  return ask(
    internalsOf(client),
    () => ({ type: "last_seen", userIds: ids }),
    () => (answer) => {
      if (answer.type !== "last_seen" || !isObject(answer.data)) throw protocolError(answer.type);
      const users = Object.entries(answer.data);
      if (!users.every(([userId, user]) => ids.includes(userId) && isLastSeen(user)))
        throw protocolError("data");
      return new Map(users as [string, LastSeen][]);
    },
  );
}

function isLastSeen(user: unknown): boolean {
  const { status, lastSeenAt } = Object(user) as Partial<Record<string, unknown>>;
  return lastSeenAt === undefined ? typeof status === "string" : Number.isSafeInteger(lastSeenAt);
}
