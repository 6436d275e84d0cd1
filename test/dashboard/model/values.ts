import type { PresenceSession, PresenceValue } from "../../../src/client/types.ts";
import { firstRow, type Row, type RowContext } from "../../../src/dashboard/model/row.ts";

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

/** The context of a result without a filter: the page sees at `at` what comes. */
export function contextAt(at: number, isExact = true): RowContext {
  const since = { at, isExact };
  return { arrival: { online: since, conversation: since }, shows: "online" };
}

/** The row of a user who was there when the page began. */
export function rowOf(userId: string, presence: PresenceValue): Row {
  return firstRow(userId, presence, contextAt(0, false));
}
