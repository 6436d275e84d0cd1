import type { PresenceSession, PresenceValue } from "../../client/types.ts";

/** What a user does, taken together over their sessions: the one that says most counts. */
export const STATUSES = ["typing", "focused", "visible", "background"] as const;
export type UserStatus = (typeof STATUSES)[number];

/** A user, as a row of the table. Another row is made for each change. */
export interface Row {
  readonly userId: string;
  readonly value: PresenceValue;
  readonly status: UserStatus;
  /** The session that says most about the user, which the row shows. */
  readonly main: PresenceSession | undefined;
  readonly sessions: number;
  /** Compares as people count: `user-2` before `user-10`. */
  readonly userKey: string;
  readonly conversationKey: string;
  /** When it changed, in milliseconds since 1970; 0: it was there when the page began to look. */
  readonly changedAt: number;
  /** How often it changed: tells two marks in a row from one. */
  readonly changes: number;
}

export function makeRow(userId: string, value: PresenceValue, changedAt: number, before?: Row): Row {
  const { widgets, backgroundSessions } = value;
  const main =
    widgets.find(({ isTyping }) => isTyping) ??
    widgets.find(({ hasFocus }) => hasFocus) ??
    widgets[0] ??
    backgroundSessions[0];
  return {
    userId,
    value,
    status: statusOf(value),
    main,
    sessions: widgets.length + backgroundSessions.length,
    userKey: before?.userKey ?? naturalKey(userId),
    conversationKey: conversationKey(main?.selectedConversationId, before),
    changedAt,
    changes: before === undefined ? 0 : before.changes + 1,
  };
}

export function sessionsOf({ widgets, backgroundSessions }: PresenceValue): PresenceSession[] {
  return [...widgets, ...backgroundSessions];
}

function statusOf({ widgets, backgroundSessions }: PresenceValue): UserStatus {
  const all = [...widgets, ...backgroundSessions];
  if (all.some(({ isTyping }) => isTyping)) return "typing";
  if (all.some(({ hasFocus }) => hasFocus)) return "focused";
  return widgets.length > 0 ? "visible" : "background";
}

function conversationKey(id: string | null | undefined, before: Row | undefined): string {
  // Those without a conversation come last.
  if (id === null || id === undefined) return "\uffff";
  return before?.main?.selectedConversationId === id ? before.conversationKey : naturalKey(id);
}

/** A text whose order by code units is a natural one. Comparing by locale would take seconds for 20,000 rows. */
function naturalKey(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}

const haystacks = new WeakMap<PresenceValue, string>();

/** Whether a lower-case text is in the user's id, conversations or custom fields. */
export function matchesSearch({ userId, value }: Row, search: string): boolean {
  if (search === "" || userId.toLowerCase().includes(search)) return true;
  let haystack = haystacks.get(value);
  if (haystack === undefined) {
    const texts = sessionsOf(value).flatMap(({ selectedConversationId, custom }) => [
      selectedConversationId ?? "",
      ...Object.entries(custom).flat(),
    ]);
    haystack = texts.join("\n").toLowerCase();
    haystacks.set(value, haystack);
  }
  return haystack.includes(search);
}
