import { STATUS_CODES } from "node:http";
import type { HttpResponse } from "../../http/exchange.ts";
import { writeHeaderLines } from "../../internals/uws-header-lines.ts";
import { PIECES_PER_TURN } from "../transport.ts";
import type { UwsResponse } from "./uws-types.ts";

/** The address at the other end of a connection. */
export function peerOf(response: UwsResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
}

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), `${code} ${text}`]),
);

/** Writes status and headers. */
export function writeHead(response: UwsResponse, { status, headers }: HttpResponse): void {
  // Without a status the library writes 200.
  if (status !== 200) response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  writeHeaderLines(response, headers);
}

/**
 * Writes a body piece by piece, as fast as the client reads. `finished` is called before the last piece is
 * sent.
 */
export function writePieces(
  response: UwsResponse,
  pieces: Iterator<string>,
  isAborted: () => boolean,
  finished: () => void,
): void {
  let turn: NodeJS.Immediate | undefined;
  let isDone = false;
  /** Returns whether all that was made so far is sent, as `onWritable` wants to know. */
  const pump = () => {
    for (let sent = 0; sent < PIECES_PER_TURN; sent++) {
      const piece = pieces.next();
      if (piece.done) {
        isDone = true;
        finished();
        response.end();
        return true;
      }
      if (!response.write(piece.value)) return false;
    }
    // Each piece takes work, so other requests are served in between.
    turn = setImmediate(() => {
      turn = undefined;
      corkedPump();
    });
    return true;
  };
  const corkedPump = () => {
    let isOut = true;
    if (!isAborted() && !isDone && turn === undefined) {
      response.cork(() => {
        isOut = pump();
      });
    }
    return isOut;
  };
  response.onWritable(corkedPump);
  corkedPump();
}
