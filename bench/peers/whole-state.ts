import { decodeJwt } from "jose";
import type { Change, Changes } from "../load/dialect.ts";

/** What a user is, as the gateway's diffs have it. */
export interface WholeState {
  readonly userId: string;
  readonly status: "online";
  readonly backgroundSessions: readonly object[];
  readonly widgets: readonly Readonly<Record<string, unknown>>[];
}

/** Makes whole states of changes, for servers that hand on what they are sent. */
export function wholeState(token: string, conversation: string): (change: Change) => WholeState {
  let session = { selectedConversationId: conversation, custom: {}, hasFocus: false, isTyping: false };
  const userId = decodeJwt(token).sub!;
  return (change) => {
    session = { ...session, ...change };
    return { userId, status: "online", backgroundSessions: [], widgets: [session] };
  };
}

export function changesOf(state: WholeState): Changes {
  return [[state.userId, state]];
}
