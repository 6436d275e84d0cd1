import { isId } from "../protocol/rules.ts";
import type { PresenceFilter } from "./types.ts";

export interface NormalFilter {
  /** Equal for filters that mean the same. */
  readonly key: string;
  /** As it is sent. A copy: nobody changes it later. What is wrong with it, the gateway says. */
  readonly filter: PresenceFilter;
}

/**
 * One form for all filters that mean the same, for bindings to a framework whose filters are written in
 * place. Null and absent are the same, but for the conversation; so are false and absent for background
 * sessions; so are ids in any order.
 */
export function normalFilter(given: PresenceFilter): NormalFilter {
  const { includeBackgroundSessions, selectedConversationId, hasFocus, isTyping, userIds, ...others } = given;
  const filter = {
    // The gateway says what is wrong with them.
    ...others,
    includeBackgroundSessions:
      includeBackgroundSessions === false ? undefined : (includeBackgroundSessions ?? undefined),
    selectedConversationId,
    hasFocus: hasFocus ?? undefined,
    isTyping: isTyping ?? undefined,
    userIds: Array.isArray(userIds) ? [...new Set<string>(userIds)].sort() : (userIds ?? undefined),
  };
  return { key: JSON.stringify(filter), filter };
}

/** Throws a `TypeError` for what is no id. */
export function checkId(id: unknown, name: string): void {
  if (typeof id !== "string" || !isId(id)) throw new TypeError(`${name} is no valid id`);
}
