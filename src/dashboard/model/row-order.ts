import type { Sort, SortKey } from "./dashboard-state.ts";
import { type Row, STATUSES } from "./row.ts";

export type Compare = (one: Row, other: Row) => number;

const byText = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

const COMPARES: Readonly<Record<SortKey, Compare>> = {
  user: (one, other) => byText(one.userKey, other.userKey),
  status: (one, other) => STATUSES.indexOf(one.status) - STATUSES.indexOf(other.status),
  conversation: (one, other) => byText(one.conversationKey, other.conversationKey),
  sessions: (one, other) => one.sessions - other.sessions,
  changed: (one, other) => one.changedAt - other.changedAt,
};

/** A total order: no two users are equal in it, so that a row has one place. */
export function compareBy({ key, isDescending }: Sort): Compare {
  const compare = COMPARES[key];
  const sign = isDescending ? -1 : 1;
  return (one, other) =>
    sign * compare(one, other) || byText(one.userKey, other.userKey) || byText(one.userId, other.userId);
}

/** The place of a row among sorted ones: how many come before it. */
export function placeOf(rows: readonly Row[], row: Row, compare: Compare, from = 0): number {
  let low = from;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(rows[middle]!, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sorted rows with others put in, in time that grows with their number and not with that of all comparisons. */
export function insertSorted(rows: readonly Row[], others: readonly Row[], compare: Compare): Row[] {
  const result: Row[] = [];
  let taken = 0;
  for (const other of others.toSorted(compare)) {
    const place = placeOf(rows, other, compare, taken);
    while (taken < place) result.push(rows[taken++]!);
    result.push(other);
  }
  while (taken < rows.length) result.push(rows[taken++]!);
  return result;
}
