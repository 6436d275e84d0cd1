import type { ErrorCode } from "../protocol/codes.ts";

/** What the gateway says, and what the SDK says where the gateway can't. */
export type PresenceErrorCode =
  | ErrorCode
  /** The connection was lost or could not be made. */
  | "DISCONNECTED"
  /** The gateway broke the protocol. */
  | "PROTOCOL"
  /** There is no token, or none that could be valid. */
  | "TOKEN"
  | "TIMEOUT"
  /** The client was closed, or the subscription unsubscribed. */
  | "CLOSED";

export class PresenceError extends Error {
  override readonly name = "PresenceError";
  readonly code: PresenceErrorCode;

  constructor(code: PresenceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The gateway broke the protocol: thrown while a message is read or applied, it ends the connection. */
export function protocolError(what: string): PresenceError {
  return new PresenceError("PROTOCOL", `bad ${what}`);
}
