import { decodeJwt } from "jose";
import type { Change, Changes } from "../load/dialect.ts";

/** The state of a user, in the form of the gateway's diffs. */
export interface WholeState {
  readonly userId: string;
  readonly status: "online";
  readonly backgroundSessions: readonly object[];
  readonly widgets: readonly Readonly<Record<string, unknown>>[];
}

/** Turns changes into complete states, for servers that only forward messages. */
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
