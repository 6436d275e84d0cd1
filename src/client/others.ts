import type { PresenceSnapshot } from "./types.ts";

/** The users without this one: who else is typing, besides oneself. The same map if the user is not in it. */
export function others(users: PresenceSnapshot, userId: string): PresenceSnapshot {
  if (!users.has(userId)) return users;
  const rest = new Map(users);
  rest.delete(userId);
  return rest;
}
