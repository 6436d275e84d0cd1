import { idProblem, MAX_FILTER_USER_IDS } from "../protocol/rules.ts";
import type { PresenceFilter } from "./types.ts";

const BOOLEANS = ["includeBackgroundSessions", "hasFocus", "isTyping"] as const;

export interface NormalFilter {
  /** Equal for filters that mean the same. */
  readonly key: string;
  /** As it is sent: only what says something, ids sorted and once each. A copy: nobody changes it later. */
  readonly filter: PresenceFilter;
}

/** Throws a `TypeError` for what the gateway would refuse. */
export function normalFilter(given: PresenceFilter): NormalFilter {
  if (typeof given !== "object" || given === null) throw new TypeError("a filter must be an object");
  const filter: { -readonly [Field in keyof PresenceFilter]: PresenceFilter[Field] } = {};
  for (const field of BOOLEANS) {
    const value = given[field] ?? undefined;
    if (value !== undefined && typeof value !== "boolean")
      throw new TypeError(`${field} must be true or false`);
    // Not to include background sessions is the default, said or not.
    if (value !== undefined && (value || field !== "includeBackgroundSessions")) filter[field] = value;
  }
  const { selectedConversationId: conversationId, userIds } = given;
  if (conversationId !== undefined) {
    if (conversationId !== null) checkId(conversationId, "selectedConversationId");
    filter.selectedConversationId = conversationId;
  }
  if (userIds !== undefined && userIds !== null) {
    if (!Array.isArray(userIds)) throw new TypeError("userIds must be an array");
    for (const userId of userIds) checkId(userId, "userIds");
    if (userIds.length > MAX_FILTER_USER_IDS) {
      throw new TypeError(`userIds must have at most ${MAX_FILTER_USER_IDS} ids`);
    }
    filter.userIds = [...new Set(userIds)].sort();
  }
  return { key: JSON.stringify(filter), filter };
}

export function checkId(id: unknown, name: string): void {
  const problem = typeof id === "string" ? idProblem(id) : "must be a string";
  if (problem !== undefined) throw new TypeError(`${name} ${problem}`);
}
