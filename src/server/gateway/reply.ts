import type { SingleMessage } from "../../protocol/codec.ts";
import type { ErrorCode } from "../../protocol/codes.ts";
import type { Issue } from "../../protocol/wire.ts";

/** Answers the messages of a socket. */
export interface Reply {
  send(message: SingleMessage): void;
  /** Confirms a message; sends nothing if it had no id. */
  ok(id: number | undefined): void;
  error(id: number | undefined, code: Exclude<ErrorCode, "BAD_MESSAGE">, message: string): void;
  /** A message violated the protocol. A socket that goes on sending such messages is ended. */
  badMessage(id: number | undefined, message: string, issues: readonly Issue[]): void;
}
