import type { LightSocket } from "./light-socket.ts";

/** How a client talks to one kind of server: the same work in the server's own words. */
export interface Dialect {
  /** Whether several events of a user may be told as one. */
  readonly folds: boolean;
  /** An accepted socket of somebody who is to be in the conversation; nothing is said yet beyond what the protocol wants. */
  open(port: number, conversation: string): Promise<LightSocket>;
  /** Shows the token of a user, who is in the conversation from then on. */
  enter(socket: LightSocket, token: string, conversation: string): Promise<Member>;
  /** A socket that has shown a token and got the state of the conversation; every change of it follows as a text. */
  watch(port: number, token: string, conversation: string): Promise<LightSocket>;
  /** What a text tells a watcher: the users it names, and what became of them. */
  changesIn(text: Buffer): Changes;
  /** The HTTP request that asks who is in a conversation, if the server answers that; the secret is its bearer token. */
  query?(conversation: string): HttpQuery;
}

/** A user who is in a conversation. */
export interface Member {
  readonly socket: LightSocket;
  /** A text frame that makes a change. */
  frame(change: Change): Buffer;
  /** Makes a change and resolves with its answer, when all that the socket said before is done as well. */
  ask(change: Change): Promise<void>;
}

export interface Change {
  readonly hasFocus?: boolean;
  readonly isTyping?: boolean;
  readonly selectedConversationId?: string;
  readonly custom?: Readonly<Record<string, string>>;
}

/** Ids of users and what they are now; null: gone. */
export type Changes = readonly (readonly [
  userId: string,
  value: { readonly widgets: readonly Readonly<Record<string, unknown>>[] } | null,
])[];

export interface HttpQuery {
  readonly path: string;
  readonly body: string;
  /** How many users an answer names. */
  users(answer: string): number;
}

/** A member and the socket it is on. */
export async function enterNew(
  dialect: Dialect,
  port: number,
  token: string,
  conversation: string,
): Promise<Member> {
  return dialect.enter(await dialect.open(port, conversation), token, conversation);
}
