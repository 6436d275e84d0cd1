import type { Frame } from "../../gateway/frame.ts";
import type { UwsResponse } from "./uws-types.ts";

/**
 * The library collects 16 KiB in a cork. It writes a chunk for which there is no room left past the cork, and
 * before April 2026 it dropped that chunk if the kernel took nothing at that moment. So no cork gets more
 * than this, which leaves room for the head of a response.
 */
const MAX_CORK_BYTES = 12 * 1024;
/** The most that the library puts around a chunk. */
const AROUND_CHUNK_BYTES = 12;
const MAX_CHUNK_BYTES = MAX_CORK_BYTES - AROUND_CHUNK_BYTES;

/**
 * Writes frames to a body, in one write as far as they fit. Returns false if bytes wait; the library does not
 * say so of the last 12 KiB. It must not be called inside a cork.
 */
export function writeChunks(response: UwsResponse, frames: readonly Frame[]): boolean {
  let isOut = true;
  for (const chunks of corksOf(frames)) {
    response.cork(() => {
      for (const chunk of chunks) isOut = response.write(chunk);
    });
  }
  return isOut;
}

/** The frames in lists that fit into a cork. Longer frames are cut. */
function* corksOf(frames: readonly Frame[]): Generator<readonly (string | Uint8Array)[]> {
  let chunks: (string | Uint8Array)[] = [];
  let room = MAX_CORK_BYTES;
  for (const frame of frames) {
    const { byteLength } = frame;
    if (byteLength + AROUND_CHUNK_BYTES > room) {
      if (chunks.length > 0) yield chunks;
      chunks = [];
      room = MAX_CORK_BYTES;
    }
    if (byteLength <= MAX_CHUNK_BYTES) {
      chunks.push(frame.payload);
      room -= byteLength + AROUND_CHUNK_BYTES;
    } else {
      const { bytes } = frame;
      for (let from = 0; from < byteLength; from += MAX_CHUNK_BYTES)
        yield [bytes.subarray(from, from + MAX_CHUNK_BYTES)];
    }
  }
  if (chunks.length > 0) yield chunks;
}
