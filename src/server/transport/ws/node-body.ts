import type { IncomingMessage } from "node:http";
import type { TransportOptions } from "../transport.ts";

export type BodyRead =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  /** Unfinished bodies hold too many bytes. The rest of this one is skipped. */
  | { readonly kind: "refused" }
  /** The client went away. */
  | { readonly kind: "gone" };

/** Reads a body of `length` bytes, which are charged to `owner` while the body is not complete. */
export function readBody(
  request: IncomingMessage,
  length: number,
  owner: string,
  { bodies, bodyRefused }: TransportOptions,
): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let read = 0;
    let held = 0;
    const done = (body: BodyRead) => {
      request.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
      bodies.release(owner, held);
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      read += chunk.length;
      // The last piece does not wait for another one.
      if (read === length) return;
      if (bodies.take(owner, chunk.length)) {
        held += chunk.length;
        return;
      }
      bodyRefused();
      request.on("error", () => {});
      done({ kind: "refused" });
      request.resume();
    };
    const onEnd = () => {
      const [first] = chunks;
      const bytes = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
      done({ kind: "whole", bytes });
    };
    const onGone = () => done({ kind: "gone" });
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}
