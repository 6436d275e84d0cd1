import type { LightSocket } from "./light-socket.ts";

/** How a client talks to one kind of server: the same work in that server's protocol. */
export interface Dialect {
  /** Whether the server may merge several events of a user into one message. */
  readonly coalesces: boolean;
  /**
   * Opens a socket for a future member of the conversation. The client sends only what the handshake
   * requires.
   */
  open(port: number, conversation: string): Promise<LightSocket>;
  /** Authenticates with the token of a user and enters the conversation. */
  enter(socket: LightSocket, token: string, conversation: string): Promise<Member>;
  /**
   * Opens an authenticated socket that has received the state of the conversation. Each change then arrives
   * as a text.
   */
  watch(port: number, token: string, conversation: string): Promise<LightSocket>;
  /** The changes in a text that a watcher received. */
  changesIn(text: Buffer): Changes;
  /**
   * The HTTP request for the users of a conversation, if the server supports it. The secret is its bearer
   * token.
   */
  query?(conversation: string): HttpQuery;
}

/** A user in a conversation. */
export interface Member {
  readonly socket: LightSocket;
  /** A text frame that requests a change. */
  frame(change: Change): Buffer;
  /**
   * Requests a change. Resolves with the reply, so all earlier messages of the socket are processed as well.
   */
  request(change: Change): Promise<void>;
}

export interface Change {
  readonly hasFocus?: boolean;
  readonly isTyping?: boolean;
  readonly selectedConversationId?: string;
  readonly custom?: Readonly<Record<string, string>>;
}

/** User ids with the new state of each user; null means that the user left. */
export type Changes = readonly (readonly [
  userId: string,
  value: { readonly widgets: readonly Readonly<Record<string, unknown>>[] } | null,
])[];

export interface HttpQuery {
  readonly path: string;
  readonly body: string;
  /** The number of users in a response. */
  users(answer: string): number;
}

/** Opens a socket and enters the conversation with it. */
export async function enterNew(
  dialect: Dialect,
  port: number,
  token: string,
  conversation: string,
): Promise<Member> {
  return dialect.enter(await dialect.open(port, conversation), token, conversation);
}
