import type { SingleMessage } from "../../protocol/codec.ts";
import type { ErrorCode } from "../../protocol/codes.ts";
import type { Issue } from "../../protocol/wire.ts";

/** How those who handle a socket's messages answer them. */
export interface Reply {
  send(message: SingleMessage): void;
  /** The success of a message; answered only if it had an id. */
  ok(id: number | undefined): void;
  error(id: number | undefined, code: Exclude<ErrorCode, "BAD_MESSAGE">, message: string): void;
  /** A message broke the contract; a socket that goes on sending such is ended. */
  badMessage(id: number | undefined, message: string, issues?: readonly Issue[]): void;
}
