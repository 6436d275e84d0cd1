import { Buffer } from "node:buffer";
import { type EncodedEntry, joinEntries } from "../../protocol/codec.ts";
import type { LeaveCause } from "../../protocol/codes.ts";
import type { WebhookMessage } from "../../protocol/webhook-message.ts";
import { cutPage } from "../gateway/pages.ts";

/** The most bytes of a body. Only a page with a single user may be longer, if the entry of that user is. */
export const MAX_BODY_BYTES = 256 * 1024;

/** What the bodies of one webhook have in common. */
export interface BodyOrigin {
  readonly appId: string;
  readonly webhookId: string;
  /** Usually `MAX_BODY_BYTES`. */
  readonly maxBodyBytes: number;
}

/** A user of a diff: the entry in the result, or why the user has left. */
export type ChangedUser = readonly [userId: string, value: EncodedEntry | { readonly cause: LeaveCause }];

/** Where a snapshot goes on. */
export interface SnapshotCut {
  readonly body: string;
  /** The index at which the next page starts; undefined after the last page. */
  readonly next: number | undefined;
}

/** `timestamp`: ISO 8601. */
function headOf(
  type: WebhookMessage["type"],
  timestamp: string,
  { appId, webhookId }: BodyOrigin,
  data: string,
): string {
  const origin = `"appId":${JSON.stringify(appId)},"webhookId":${JSON.stringify(webhookId)}`;
  return `{"type":"${type}","timestamp":"${timestamp}","data":{${origin},${data}`;
}

/** One page of a snapshot, with `members` from index `from` on. `page`: its number, from 1. */
export function encodeSnapshotPage(
  origin: BodyOrigin,
  timestamp: string,
  { view, version }: { readonly view: string; readonly version: number },
  members: readonly EncodedEntry[],
  from: number,
  page: number,
): SnapshotCut {
  const position = `"view":${JSON.stringify(view)},"version":${version},"users":{`;
  const head = headOf("presence.snapshot", timestamp, origin, position);
  const tail = (more: boolean) => `},"page":${page},"more":${more}}}`;
  const room = origin.maxBodyBytes - Buffer.byteLength(head) - tail(false).length;
  const cut = cutPage(members, from, room);
  return { body: joinEntries(head, cut.members, tail(cut.next !== undefined)), next: cut.next };
}

/**
 * A diff of some users: their entries as the view has them, or why they have left. Undefined if it would be
 * too long.
 */
export function encodeWebhookDiff(
  origin: BodyOrigin,
  timestamp: string,
  position: { readonly view: string; readonly from: number; readonly version: number },
  users: Iterable<ChangedUser>,
): string | undefined {
  const { view, from, version } = position;
  const head = headOf(
    "presence.diff",
    timestamp,
    origin,
    `"view":${JSON.stringify(view)},"from":${from},"version":${version},"users":{`,
  );
  let room = origin.maxBodyBytes - Buffer.byteLength(head) - '},"causes":{}}}'.length;
  const entries: EncodedEntry[] = [];
  const causes: string[] = [];
  for (const [userId, value] of users) {
    const isIn = typeof value === "string";
    const entry = isIn ? value : `${JSON.stringify(userId)}:null`;
    entries.push(entry);
    room -= Buffer.byteLength(entry) + 1;
    if (!isIn) {
      const cause = `${JSON.stringify(userId)}:"${value.cause}"`;
      causes.push(cause);
      room -= Buffer.byteLength(cause) + 1;
    }
    if (room < 0) return undefined;
  }
  return joinEntries(head, entries, `},"causes":{${causes.join(",")}}}}`);
}

export function encodeWebhookCount(origin: BodyOrigin, timestamp: string, users: number): string {
  return `${headOf("presence.count", timestamp, origin, `"users":${users}`)}}}`;
}
