import { Buffer } from "node:buffer";
import type { Member } from "../protocol/codec.ts";

/** The `data` of a snapshot or answer is cut into pages of about this many bytes of JSON. */
export const PAGE_BYTES = 64 * 1024 - 512;

export interface Page {
  /** Members joined by commas: the inside of `data`. */
  readonly text: string;
  /** Where the next page starts; undefined after the last. */
  readonly next: number | undefined;
}

/** One page of `members` from index `from`; always at least one member, however long, and a page even of none. */
export function cutPage(members: readonly Member[], from: number): Page {
  let end = from;
  let bytes = 0;
  while (end < members.length) {
    bytes += Buffer.byteLength(members[end]!) + 1;
    if (bytes > PAGE_BYTES && end > from) break;
    end++;
  }
  const page = from === 0 && end === members.length ? members : members.slice(from, end);
  return { text: page.join(","), next: end < members.length ? end : undefined };
}
