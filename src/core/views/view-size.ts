import type { ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import type { View } from "./view.ts";

/** Sessions that are checked in one step when a view is created. */
export const HYDRATE_AT_ONCE = 1_000;

// Estimates in bytes: what V8 needs for strings in Latin-1, and roughly what it needs for the rest. Other
// strings take up to twice as much. The entry of a user counts for each view that lists it.

/** A view, its channel and its places in maps. */
const VIEW_BYTES = 1_024;
/** An id's string, its place in the filter's set, and its place in the index of views. */
const ID_BYTES = 128;
/** A value of `custom`: its string, its place in the filter's set, and a set of views in their index. */
const VALUE_BYTES = 384;
/** An entry's place in the map of a view, and its string header. */
const ENTRY_BYTES = 96;
/** A session's place in the list of a cursor, and its user's place in the set of checked users. */
const WALKED_BYTES = 48;
/** The least that a session takes in an entry: its id and the field names. */
const MIN_SESSION_BYTES = 90;
/** How many entries of a view that is being hydrated are measured. The others are extrapolated. */
const SAMPLE = 1_000;
/** The extrapolation counts an entry as at most this many times the median. */
const OUTLIER = 4;

/** Bytes that a filter keeps: its ids and values, in sets and in its key. */
export function filterBytes({ conversationId, userIds, custom }: CompiledFilter): number {
  let bytes = VIEW_BYTES + 2 * (conversationId?.length ?? 0);
  for (const [key, values] of custom ?? []) {
    bytes += ID_BYTES + 2 * key.length;
    for (const value of values) bytes += VALUE_BYTES + 2 * value.length;
  }
  for (const userId of userIds ?? []) bytes += ID_BYTES + 2 * userId.length;
  return bytes;
}

/**
 * Bytes that the result of a view keeps; while a large view is hydrated, an estimate of what it will keep.
 * Entries that are not measured count like those that are, apart from a few that are much longer than the
 * others: one user with many sessions must not make a view look too large for everybody else.
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

/** The least bytes that the result of a new view would keep; 0 for one that is hydrated in one step. */
export function minResultBytes(filter: CompiledFilter, table: ReadonlyTable): number {
  // By status or `custom`, sessions may be found whose users are not in the result.
  if (filter.userIds !== undefined || filter.custom !== undefined || filter.asksForStatus) return 0;
  const matching = matchingSessions(filter, table);
  return matching <= HYDRATE_AT_ONCE || filter.fields === 0 ? 0 : matching * MIN_SESSION_BYTES;
}

/**
 * Bytes that a snapshot of a view keeps while it is sent: a list of entries, and the entries that have
 * changed since.
 */
export function snapshotBytes(view: View, table: ReadonlyTable): number {
  const count = view.isHydrating ? matchingSessions(view.filter, table) : view.size;
  return count <= HYDRATE_AT_ONCE ? 0 : count * ENTRY_BYTES;
}

/**
 * Bytes that a cursor keeps while the result of a query is sent: the sessions to check, and the users who
 * were checked.
 */
export function cursorBytes(filter: CompiledFilter, table: ReadonlyTable): number {
  const count = filter.userIds === undefined ? matchingSessions(filter, table) : 0;
  return count <= HYDRATE_AT_ONCE ? 0 : count * WALKED_BYTES;
}

/** How many sessions a filter without ids checks: an upper bound for the users in its result. */
function matchingSessions(filter: CompiledFilter, table: ReadonlyTable): number {
  return filter.candidates(table).size;
}
