import type { PresenceSession, PresenceSnapshot, PresenceValue } from "../client/types.ts";

export const HEADER = ["USER", "CONVERSATION", "FOCUS", "TYPING", "WIDGETS", "BACKGROUND"] as const;

/** The table cells of a user. */
export function toRow(userId: string, { widgets, backgroundSessions }: PresenceValue): readonly string[] {
  const sessions = [...widgets, ...backgroundSessions];
  const mark = (has: (session: PresenceSession) => boolean) => (sessions.some(has) ? "yes" : "-");
  return [
    userId,
    conversations(sessions),
    mark(({ hasFocus }) => hasFocus),
    mark(({ isTyping }) => isTyping),
    String(widgets.length),
    String(backgroundSessions.length),
  ];
}

/** The description of a user in one line. */
export function toPhrase({ widgets, backgroundSessions }: PresenceValue): string {
  const sessions = [...widgets, ...backgroundSessions];
  return [
    conversations(sessions),
    sessions.some(({ hasFocus }) => hasFocus) && "focus",
    sessions.some(({ isTyping }) => isTyping) && "typing",
    widgets.length === 0 && "background",
  ]
    .filter(Boolean)
    .join(", ");
}

function conversations(sessions: readonly PresenceSession[]): string {
  const ids = sessions.flatMap(({ selectedConversationId: id }) => (id === null ? [] : [id]));
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
