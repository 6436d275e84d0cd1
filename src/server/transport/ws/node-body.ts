import type { IncomingMessage } from "node:http";
import type { BodyWanted } from "../../http/exchange.ts";
import { BodyParts } from "../body-parts.ts";
import { SkippedBody, type TransportOptions } from "../transport.ts";

export type BodyRead =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  /** Unfinished bodies hold too many bytes. The rest of this one is skipped. */
  | { readonly kind: "refused" }
  /** It is longer than the route accepts. `isOver`: all of it has come. */
  | { readonly kind: "too-large"; readonly isOver: boolean }
  /** The client went away. */
  | { readonly kind: "gone" };

/**
 * Reads a body of `length` bytes, which are charged to its owner while the body is not complete. An infinite
 * length is known at the end only.
 */
export function readBody(
  request: IncomingMessage,
  length: number,
  { owner, maxBytes }: Pick<BodyWanted, "owner" | "maxBytes">,
  { bodies, bodyRefused }: Pick<TransportOptions, "bodies" | "bodyRefused">,
): Promise<BodyRead> {
  return new Promise((resolve) => {
    const parts = new BodyParts(bodies, owner, Math.min(length, maxBytes));
    let last: Buffer = NO_BYTES;
    let skipped: SkippedBody | undefined;
    const done = (body: BodyRead) => {
      request.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
      parts.release();
      resolve(body);
    };
    /** Ends the reading before the body has ended. What comes is thrown away. */
    const stop = (body: BodyRead) => {
      request.on("error", () => {});
      done(body);
      request.resume();
    };
    const onData = (chunk: Buffer) => {
      const read = parts.length + chunk.length;
      if (skipped !== undefined || read > maxBytes) {
        parts.release();
        skipped ??= new SkippedBody();
        if (!skipped.skip(chunk.length)) stop({ kind: "too-large", isOver: false });
      } else if (read === length) {
        // The last piece does not wait for another one.
        last = chunk;
      } else if (!parts.add(chunk)) {
        bodyRefused();
        stop({ kind: "refused" });
      }
    };
    const onEnd = () => {
      if (skipped !== undefined) done({ kind: "too-large", isOver: true });
      else done({ kind: "whole", bytes: parts.length === 0 ? last : parts.whole(last) });
    };
    const onGone = () => done({ kind: "gone" });
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}

const NO_BYTES = Buffer.alloc(0);
