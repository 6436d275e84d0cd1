import { type Row, sessionsOf } from "./row.ts";
import { earlier, type Since } from "./session-times.ts";

/** A user in a conversation. */
export interface Participant {
  readonly userId: string;
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  /** Whether the status is online: neither idle nor declared as away or busy. */
  readonly isAvailable: boolean;
  /** Since when the user is in the conversation. */
  readonly since: Since;
}

/** A conversation as a row of the table. */
export interface Conversation {
  /** Null: the users whose sessions are all in no conversation. */
  readonly id: string | null;
  /** In the order of the rows. */
  readonly participants: readonly Participant[];
  readonly available: number;
  readonly focused: number;
  readonly typing: number;
}

/**
 * The conversations of rows. Those with the most users come first, users without a conversation last. A user
 * with sessions in two conversations is in both.
 */
export function conversationsOf(rows: readonly Row[]): Conversation[] {
  const participants = new Map<string | null, Participant[]>();
  for (const row of rows) {
    for (const [id, participant] of conversationsOfUser(row)) {
      const others = participants.get(id);
      if (others === undefined) participants.set(id, [participant]);
      else others.push(participant);
    }
  }
  return [...participants].map(([id, users]) => conversation(id, users)).sort(byUsers);
}

function conversationsOfUser({ userId, value, times }: Row): Map<string | null, Participant> {
  const found = new Map<string | null, Participant>();
  sessionsOf(value).forEach(({ selectedConversationId: id, hasFocus, isTyping }, index) => {
    const other = found.get(id);
    const since = times[index]!.conversation;
    found.set(id, {
      userId,
      hasFocus: hasFocus || other?.hasFocus === true,
      isTyping: isTyping || other?.isTyping === true,
      isAvailable: value.status === "online",
      since: other === undefined ? since : earlier(since, other.since),
    });
  });
  if (found.size > 1) found.delete(null);
  return found;
}

function conversation(id: string | null, participants: readonly Participant[]): Conversation {
  return {
    id,
    participants,
    available: participants.filter(({ isAvailable }) => isAvailable).length,
    focused: participants.filter(({ hasFocus }) => hasFocus).length,
    typing: participants.filter(({ isTyping }) => isTyping).length,
  };
}

function byUsers(one: Conversation, other: Conversation): number {
  if (one.id === null || other.id === null) return one.id === null ? 1 : -1;
  return other.participants.length - one.participants.length || (one.id < other.id ? -1 : 1);
}
