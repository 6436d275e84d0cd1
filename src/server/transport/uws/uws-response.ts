import { STATUS_CODES } from "node:http";
import { Frame } from "../../gateway/frame.ts";
import type { HttpResponse } from "../../http/exchange.ts";
import { afterContinue } from "../../internals/uws-continue.ts";
import { writeHeaderLines } from "../../internals/uws-header-lines.ts";
import { PIECES_PER_TURN } from "../transport.ts";
import { writeChunks } from "./uws-chunks.ts";
import type { UwsResponse } from "./uws-types.ts";

/** ASCII is UTF-8 too, which is decoded faster, and without a `Buffer` around the bytes. */
const ASCII = new TextDecoder();

/** The address at the other end of a connection. */
export function peerOf(response: UwsResponse): string {
  return ASCII.decode(response.getRemoteAddressAsText());
}

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), `${code} ${text}`]),
);

/** Writes status and headers. `isContinued`: "100 Continue" was sent with `sendContinue`. */
export function writeHead(
  response: UwsResponse,
  { status, headers }: HttpResponse,
  isContinued = false,
): void {
  const line = STATUS_LINES.get(status) ?? String(status);
  if (isContinued) {
    const [[name, value] = ["vary", "*"], ...rest] = Object.entries(headers);
    writeHeaderLines(response, { [afterContinue(line, name)]: value, ...Object.fromEntries(rest) });
    return;
  }
  // Without a status the library writes 200.
  if (status !== 200) response.writeStatus(line);
  writeHeaderLines(response, headers);
}

/**
 * Sends a response with a whole body, and drops the connection when the kernel has all of it. Until then the
 * request counts as unanswered, so the library drops the connection at the next request instead of handling
 * it. An answer by the library's own `end` counts as answered while bytes wait. The connection ends by the
 * `onAborted` of the response. `afterBody`: calls back when the client may be cut off.
 */
export function sendAndClose(
  response: UwsResponse,
  reply: HttpResponse,
  isAborted: () => boolean,
  isContinued = false,
  afterBody: (done: () => void) => void = setImmediate,
): void {
  const body = Buffer.from(reply.body as string);
  const { length } = body;
  const headers = { ...reply.headers, connection: "close" };
  /** Returns whether the kernel has all of it. */
  const sendRest = (offset: number) => {
    if (isAborted()) return true;
    // The head has the true length. To this one a byte is missing for ever, so the library sees no end.
    let isOut = false;
    response.cork(() => {
      [isOut] = response.tryEnd(body.subarray(offset), length + 1);
    });
    // After this turn: the library still uses the response when the handler returns.
    if (isOut) afterBody(() => isAborted() || response.close());
    return isOut;
  };
  response.onWritable(sendRest);
  response.cork(() => {
    writeHead(response, { ...reply, headers }, isContinued);
    response.tryEnd(body.subarray(0, length - 1), length);
  });
  // In another cork, since the library says only now whether the kernel has taken the first.
  sendRest(response.getWriteOffset());
}

/**
 * Writes a body piece by piece, as fast as the client reads. `finished` is called before the last piece is
 * sent. `isLast`: nothing is read from the connection any more, until the client or the library ends it.
 */
export function writePieces(
  response: UwsResponse,
  pieces: Iterator<string>,
  isAborted: () => boolean,
  finished: () => void,
  isLast = false,
): void {
  let turn: NodeJS.Immediate | undefined;
  let isDone = false;
  /** Returns whether all that was made so far is sent, as `onWritable` wants to know. */
  const pump = () => {
    if (isAborted() || isDone || turn !== undefined) return true;
    for (let sent = 0; sent < PIECES_PER_TURN; sent++) {
      const piece = pieces.next();
      if (piece.done) {
        isDone = true;
        finished();
        if (isLast) response.pause();
        response.cork(() => response.end());
        return true;
      }
      if (!writeChunks(response, [new Frame(piece.value).encodeBytes()])) return false;
    }
    // Each piece takes work, so other requests are served in between.
    pumpNextTurn();
    return true;
  };
  const pumpNextTurn = () => {
    turn = setImmediate(() => {
      turn = undefined;
      pump();
    });
  };
  response.onWritable(pump);
  // Not now, because this is the cork of the head.
  pumpNextTurn();
}
