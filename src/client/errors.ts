import type { ErrorCode } from "../protocol/codes.ts";

/** What the gateway says, and what the SDK says where the gateway can't. */
export type PresenceErrorCode =
  | ErrorCode
  /** The connection was lost or could not be made. */
  | "DISCONNECTED"
  /** The gateway broke the protocol. */
  | "PROTOCOL"
  /** The function that was given brought no token. */
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

/** Thrown while a message is taken in: the gateway is not what it should be, and the connection is given up. */
export function violation(what: string): PresenceError {
  return new PresenceError("PROTOCOL", `broken protocol: ${what}`);
}
