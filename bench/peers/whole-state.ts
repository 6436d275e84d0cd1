import { decodeJwt } from "jose";
import type { Change } from "../load/dialect.ts";

/** Makes whole states of changes, for servers that hand on what they are sent, as the gateway's diffs have them. */
export function wholeState(token: string, conversation: string): (change: Change) => object {
  let session: object = {
    selectedConversationId: conversation,
    custom: {},
    hasFocus: false,
    isTyping: false,
  };
  const { sub: userId } = decodeJwt(token);
  return (change) => {
    session = { ...session, ...change };
    return { userId, status: "online", backgroundSessions: [], widgets: [session] };
  };
}
