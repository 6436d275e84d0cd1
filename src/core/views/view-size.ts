import type { ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import type { View } from "./view.ts";

/** Sessions that are looked at in one go when a view is made. */
export const HYDRATE_AT_ONCE = 1_000;

// Estimates, in bytes: what V8 needs for texts in Latin-1, and about what it needs for the rest. Other texts
// take up to twice as much, and entries of users that several views list are counted for each of them.

/** A view, its channel and its places in maps. */
const VIEW_BYTES = 1_024;
/** An id's text, its place in the filter's set, and its place in the index of views. */
const ID_BYTES = 128;
/** An entry's place in the map of a view, and the head of its text. */
const ENTRY_BYTES = 96;
/** A session's place in the list of a walk, and its user's in the set of those who were looked at. */
const WALKED_BYTES = 48;
/** No session takes less in an entry: its id, and the names of the fields. */
const MIN_SESSION_BYTES = 90;
/** The entries of a view that is being hydrated are not all measured: these tell what the others are like. */
const SAMPLE = 1_000;
/** An entry that is so many times as long as most says nothing about the others. */
const OUTLIER = 4;

/** What a filter keeps: its ids, in a set and in its key. */
export function filterBytes({ conversationId, userIds }: CompiledFilter): number {
  let bytes = VIEW_BYTES + 2 * (conversationId?.length ?? 0);
  for (const userId of userIds ?? []) bytes += ID_BYTES + 2 * userId.length;
  return bytes;
}

/**
 * What the result of a view keeps; while a large view is hydrated, about what it will keep. What is not
 * measured is taken to be as what is, but for a few entries that are much longer than others: one user with
 * many sessions must not make a view look too large for everybody else.
 */
export function resultBytes(view: View): number {
  if (!view.isHydrating) return view.size * ENTRY_BYTES + view.length;
  const members = view.members();
  const lengths: number[] = [];
  for (let i = 0; i < members.length && i < SAMPLE; i++) lengths.push(members[i]!.length);
  if (lengths.length === 0) return 0;
  const count = members.length / view.hydratedShare;
  const measured = sum(lengths);
  const longest = OUTLIER * lengths.sort((a, b) => a - b)[lengths.length >> 1]!;
  const usual = sum(lengths.map((length) => Math.min(length, longest))) / lengths.length;
  return Math.ceil(count * ENTRY_BYTES + measured + (count - lengths.length) * usual);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** What a view that has to be hydrated bit by bit is taken to keep at least, before it is made. */
export function minResultBytes(filter: CompiledFilter, table: ReadonlyTable): number {
  if (filter.userIds !== undefined) return 0;
  const matching = matchingSessions(filter, table);
  return matching <= HYDRATE_AT_ONCE ? 0 : matching * MIN_SESSION_BYTES;
}

/**
 * What a snapshot of a view keeps while it is sent: its place in a list for each entry, and entries that
 * changed since.
 */
export function snapshotBytes(view: View, table: ReadonlyTable): number {
  const count = view.isHydrating ? matchingSessions(view.filter, table) : view.size;
  return count <= HYDRATE_AT_ONCE ? 0 : count * ENTRY_BYTES;
}

/** What the answer to a query keeps while it is sent: the sessions to look at, and who was looked at. */
export function cursorBytes(filter: CompiledFilter, table: ReadonlyTable): number {
  const count = filter.userIds === undefined ? matchingSessions(filter, table) : 0;
  return count <= HYDRATE_AT_ONCE ? 0 : count * WALKED_BYTES;
}

/** Sessions that a filter without ids matches: there are no more users in its result. */
function matchingSessions({ conversationId, statusSet }: CompiledFilter, table: ReadonlyTable): number {
  return table.bucket(conversationId)?.countIn(statusSet) ?? 0;
}
