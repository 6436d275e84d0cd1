import type { PresenceSession, PresenceSnapshot, PresenceValue } from "../client/types.ts";

export const HEADER = ["USER", "STATUS", "CONVERSATION", "FOCUS", "TYPING", "WIDGETS", "BACKGROUND"] as const;

/** A filter with `fields` leaves out fields of the sessions, or the sessions. */
interface Listed {
  readonly widgets?: readonly Partial<PresenceSession>[];
  readonly backgroundSessions?: readonly Partial<PresenceSession>[];
}

/** The sessions that a filter lists, and which of their users do what. */
export function sessionsOf(value: PresenceValue) {
  const { widgets = [], backgroundSessions = [] }: Listed = value;
  const all = [...widgets, ...backgroundSessions];
  return {
    widgets,
    backgroundSessions,
    conversations: conversations(all),
    hasFocus: all.some(({ hasFocus }) => hasFocus),
    isTyping: all.some(({ isTyping }) => isTyping),
  };
}

/** The table cells of a user. */
export function toRow(userId: string, value: PresenceValue): readonly string[] {
  const sessions = sessionsOf(value);
  const mark = (has: boolean) => (has ? "yes" : "-");
  return [
    userId,
    statusOf(value),
    sessions.conversations,
    mark(sessions.hasFocus),
    mark(sessions.isTyping),
    String(sessions.widgets.length),
    String(sessions.backgroundSessions.length),
  ];
}

/** The description of a user in one line. That somebody is online needs no word. */
export function toPhrase(value: PresenceValue): string {
  const { widgets, conversations: names, hasFocus, isTyping } = sessionsOf(value);
  const status = statusOf(value);
  return [
    names,
    hasFocus && "focus",
    isTyping && "typing",
    widgets.length === 0 && "background",
    status !== "online" && status,
  ]
    .filter(Boolean)
    .join(", ");
}

/** The status of a user with emoji and text: `busy 🎧 In a meeting`. */
export function statusOf({ status, statusEmoji, statusText }: PresenceValue): string {
  return [status, statusEmoji, statusText].filter(Boolean).join(" ");
}

function conversations(sessions: readonly Partial<PresenceSession>[]): string {
  const ids = sessions.flatMap(({ selectedConversationId }) => selectedConversationId ?? []);
  return [...new Set(ids)].join(", ") || "-";
}

const byName = new Intl.Collator(undefined, { numeric: true }).compare;

/** The first `count` users in the order of their names. Sorting all users at each change would be slow. */
export function firstIds(snapshot: PresenceSnapshot, count = snapshot.size): string[] {
  if (count >= snapshot.size) return [...snapshot.keys()].sort(compare);
  const first: string[] = [];
  for (const id of snapshot.keys()) {
    if (first.length === count && (count === 0 || compare(id, first[count - 1]!) > 0)) continue;
    let at = first.length;
    while (at > 0 && compare(id, first[at - 1]!) < 0) at--;
    first.splice(at, 0, id);
    if (first.length > count) first.pop();
  }
  return first;
}

/** Names that the collator considers equal still have a fixed order. */
function compare(a: string, b: string): number {
  return byName(a, b) || (a < b ? -1 : Number(a > b));
}

/** The same form as in a response of the HTTP API. */
export function toData(snapshot: PresenceSnapshot): Record<string, PresenceValue> {
  return Object.fromEntries(snapshot);
}
