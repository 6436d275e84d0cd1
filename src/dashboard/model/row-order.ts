import type { Sort, SortKey } from "./dashboard-state.ts";
import { ATTENTIONS, type Row } from "./row.ts";
import { STATUSES } from "./status.ts";

export type Compare = (one: Row, other: Row) => number;

const byText = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

const COMPARATORS: Readonly<Record<SortKey, Compare>> = {
  user: (one, other) => byText(one.userKey, other.userKey),
  status: (one, other) => STATUSES.indexOf(one.value.status) - STATUSES.indexOf(other.value.status),
  attention: (one, other) => ATTENTIONS.indexOf(one.attention) - ATTENTIONS.indexOf(other.attention),
  conversation: (one, other) => byText(one.conversationKey, other.conversationKey),
  sessions: (one, other) => one.sessions - other.sessions,
  since: (one, other) => one.since.at - other.since.at,
  changed: (one, other) => one.changedAt - other.changedAt,
};

/** A total order. No two users compare as equal, so each row has exactly one place. */
export function compareBy({ key, isDescending }: Sort): Compare {
  const compare = COMPARATORS[key];
  const sign = isDescending ? -1 : 1;
  return (one, other) =>
    sign * compare(one, other) || byText(one.userKey, other.userKey) || byText(one.userId, other.userId);
}

/** Binary search: the number of sorted rows that come before a row. */
export function insertionIndex(rows: readonly Row[], row: Row, compare: Compare, from = 0): number {
  let low = from;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(rows[middle]!, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Merges rows into sorted rows. Only the new rows are compared, so the cost is one copy of the array. */
export function insertSorted(rows: readonly Row[], others: readonly Row[], compare: Compare): Row[] {
  const result: Row[] = [];
  let taken = 0;
  for (const other of others.toSorted(compare)) {
    const place = insertionIndex(rows, other, compare, taken);
    while (taken < place) result.push(rows[taken++]!);
    result.push(other);
  }
  while (taken < rows.length) result.push(rows[taken++]!);
  return result;
}
