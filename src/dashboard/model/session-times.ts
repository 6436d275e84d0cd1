import type { PresenceFilter, PresenceSession } from "../../client/types.ts";

/** Since when something is so, as far as this page has seen it. The wire has no such times. */
export interface Since {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** False: it was so already at that time. The page cannot know since when. */
  readonly isExact: boolean;
}

/** The times of a session or of a user. */
export interface Times {
  /** Since when the session exists, or since when the user is online. */
  readonly online: Since;
  /** Since when the session is in its conversation, or in none. */
  readonly conversation: Since;
}

/**
 * The times of a session that has come into the result of a filter. It may have come because it began to
 * type, or because the user's status changed, so the filter decides what the page knows. `at` is in
 * milliseconds since 1970. `isSeen` is false if the page was not live when the session came.
 */
export function timesOfArrival(filter: PresenceFilter, at: number, isSeen: boolean): Times {
  const { hasFocus, isTyping, custom, status } = filter;
  const isByActivity = typeof hasFocus === "boolean" || typeof isTyping === "boolean";
  const isByField = (custom ?? status ?? undefined) !== undefined;
  const knowsConversation = isSeen && !isByActivity && !isByField;
  const knowsOnline = knowsConversation && filter.selectedConversationId === undefined;
  return {
    online: { at, isExact: knowsOnline },
    conversation: { at, isExact: knowsConversation },
  };
}

interface Timed {
  readonly sessions: readonly PresenceSession[];
  /** The times of each session, in the same order. */
  readonly times: readonly Times[];
}

/** The times of each session. Those that were here before keep theirs. */
export function timesOf(sessions: readonly PresenceSession[], arrival: Times, before?: Timed): Times[] {
  if (before === undefined) return sessions.map(() => arrival);
  return sessions.map(({ sessionId, selectedConversationId }) => {
    const index = before.sessions.findIndex((other) => other.sessionId === sessionId);
    if (index === -1) return arrival;
    const times = before.times[index]!;
    const isSame = before.sessions[index]!.selectedConversationId === selectedConversationId;
    return isSame ? times : { online: times.online, conversation: arrival.conversation };
  });
}

/** The earlier of two times. Of two equal ones, the one that may be even earlier. */
export function earlier(one: Since, other: Since): Since {
  if (one.at !== other.at) return one.at < other.at ? one : other;
  return one.isExact ? other : one;
}
