import type { PresenceSession, PresenceValue } from "../../../src/client/types.ts";

/** A session without a conversation, focus or typing, unless `fields` says otherwise. */
export function session(fields: Partial<PresenceSession> = {}): PresenceSession {
  const defaults = {
    sessionId: "s",
    selectedConversationId: null,
    hasFocus: false,
    isTyping: false,
    custom: {},
  };
  return { ...defaults, ...fields };
}

/** A user with these sessions. */
export function value(
  widgets: readonly PresenceSession[],
  backgroundSessions: readonly PresenceSession[] = [],
): PresenceValue {
  return { status: "online", widgets: [...widgets], backgroundSessions: [...backgroundSessions] };
}
