import { Buffer } from "node:buffer";
import type { EncodedEntry } from "../../protocol/codec.ts";

/** The `data` of a snapshot or result is cut into pages of about this many bytes of JSON. */
export const PAGE_BYTES = 64 * 1024 - 512;

export interface EntryPage {
  readonly members: readonly EncodedEntry[];
  /** The index at which the next page starts; undefined after the last page. */
  readonly next: number | undefined;
}

/**
 * Returns one page of `members` from index `from` on, of at most `maxBytes`. It has at least one entry,
 * however long, unless there are none.
 */
export function cutPage(members: readonly EncodedEntry[], from: number, maxBytes = PAGE_BYTES): EntryPage {
  if (from === 0 && surelyFit(members, maxBytes)) return { members, next: undefined };
  let end = from;
  let bytes = 0;
  while (end < members.length) {
    bytes += Buffer.byteLength(members[end]!) + 1;
    if (bytes > maxBytes && end > from) break;
    end++;
  }
  return { members: members.slice(from, end), next: end < members.length ? end : undefined };
}

/** Whether all entries fit for certain, without counting bytes: a UTF-16 unit has at most three bytes. */
function surelyFit(members: readonly EncodedEntry[], maxBytes: number): boolean {
  let units = members.length;
  for (let i = 0; i < members.length && 3 * units <= maxBytes; i++) units += members[i]!.length;
  return 3 * units <= maxBytes;
}
