import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

interface RespondingSocket extends Duplex {
  readonly _httpMessage?: ServerResponse | null;
}

/**
 * Whether the head of a response is out on this connection and its body is not finished.
 *
 * Relies on: `_httpMessage` of a socket of node:http. Node reads it for its own handling of bad requests.
 * Why: an error response that is written into the middle of another response would be read as a part of it.
 * Without it: false, so a bad request behind a response under way could add its error response to that body.
 */
export function isResponseUnderWay(socket: Duplex): boolean {
  return (socket as RespondingSocket)._httpMessage?.headersSent === true;
}
