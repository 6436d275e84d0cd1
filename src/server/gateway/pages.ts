import { Buffer } from "node:buffer";
import type { EncodedEntry } from "../../protocol/codec.ts";

/** The `data` of a snapshot or answer is cut into pages of about this many bytes of JSON. */
export const PAGE_BYTES = 64 * 1024 - 512;

export interface EntryPage {
  readonly members: readonly EncodedEntry[];
  /** Where the next page starts; undefined after the last. */
  readonly next: number | undefined;
}

/**
 * One page of `members` from index `from`; always at least one member, however long, and a page even of none.
 */
export function cutPage(members: readonly EncodedEntry[], from: number): EntryPage {
  if (from === 0 && surelyFit(members)) return { members, next: undefined };
  let end = from;
  let bytes = 0;
  while (end < members.length) {
    bytes += Buffer.byteLength(members[end]!) + 1;
    if (bytes > PAGE_BYTES && end > from) break;
    end++;
  }
  return { members: members.slice(from, end), next: end < members.length ? end : undefined };
}

/** Whether they need no counting of bytes: a UTF-16 unit has three of them at most. */
function surelyFit(members: readonly EncodedEntry[]): boolean {
  let units = members.length;
  for (let i = 0; i < members.length && 3 * units <= PAGE_BYTES; i++) units += members[i]!.length;
  return 3 * units <= PAGE_BYTES;
}
