import { APP } from "../servers/app.ts";
import type { Changes, Dialect, Member } from "./dialect.ts";
import { type LightSocket, textFrame } from "./light-socket.ts";
import { connectSocket, expect, openSession, openSocket, showToken } from "./sockets.ts";

/** The protocol presence.v1. The baselines speak the part of it that the benchmarks use. */
export const gatewayDialect: Dialect = {
  coalesces: true,
  open: openSocket,
  async enter(socket, token, conversation) {
    await showToken(socket, token);
    return openMember(socket, conversation);
  },
  async watch(port, token, conversation) {
    const socket = await connectSocket(port, token);
    const subscribe = { type: "subscribe", id: 1, filter: { selectedConversationId: conversation } };
    expect(await socket.request(textFrame(subscribe)), "snapshot");
    return socket;
  },
  changesIn: (text) => Object.entries(JSON.parse(text.toString()).data) as unknown as Changes,
  query: (conversation) => ({
    path: `/v1/${APP.id}/presences`,
    body: JSON.stringify({ selectedConversationId: conversation }),
    users: (answer) => Object.keys((JSON.parse(answer) as { data: object }).data).length,
  }),
};

/** Enters a conversation with a socket that is authenticated. */
export async function openMember(socket: LightSocket, conversation: string): Promise<Member> {
  const sessionId = await openSession(socket, { selectedConversationId: conversation });
  return {
    socket,
    frame: (change) => textFrame({ type: "update", sessionId, ...change }),
    async request(change) {
      expect(await socket.request(textFrame({ type: "update", id: 1, sessionId, ...change })), "ok");
    },
  };
}
