import type { Table } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import type { View } from "./view.ts";

// Estimates, in bytes: what V8 needs for texts in Latin-1, and about what it needs for the rest. Other texts
// take up to twice as much, and entries of users that several views list are counted for each of them.

/** A view, its feed and its places in maps. */
const VIEW_BYTES = 1_024;
/** An id's text, its place in the filter's set, and its place in the index of views. */
const ID_BYTES = 128;
/** An entry's place in the map of a view, and the head of its text. */
const MEMBER_BYTES = 96;
/** The entries of a large view are not all measured: these tell what the others are like. */
const SAMPLE = 1_000;

/** What a filter keeps: its ids, in a set and in its key. */
export function filterBytes({ conversationId, userIds }: CompiledFilter): number {
  let bytes = VIEW_BYTES + 2 * (conversationId?.length ?? 0);
  for (const userId of userIds ?? []) bytes += ID_BYTES + 2 * userId.length;
  return bytes;
}

/** What the result of a view keeps; while a large view is collected, about what it will keep. */
export function resultBytes<Holder>(view: View<Holder>, table: Table<Holder>): number {
  const members = view.members();
  const sampled = Math.min(members.length, SAMPLE);
  let characters = 0;
  for (let i = 0; i < sampled; i++) characters += members[i]!.length;
  const count = view.isCollecting ? matchingSessions(view.filter, table) : members.length;
  return sampled === 0 ? 0 : Math.ceil(count * (MEMBER_BYTES + characters / sampled));
}

/** Sessions that a filter without ids matches: there are no more users in its result. */
function matchingSessions<Holder>({ conversationId, shapes }: CompiledFilter, table: Table<Holder>): number {
  return table.bucket(conversationId)?.countIn(shapes) ?? 0;
}
