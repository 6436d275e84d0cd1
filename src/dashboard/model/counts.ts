import type { Row } from "./row.ts";
import type { Status } from "./status.ts";

/** Totals over all users that match the filter. */
export interface Counts {
  users: number;
  widgets: number;
  backgroundSessions: number;
  /** Users with at least one session that has the focus, and users with at least one that is typing. */
  focused: number;
  typing: number;
  /** Users by their status. */
  readonly statuses: Record<Status, number>;
}

export function zeroCounts(): Counts {
  const statuses = { online: 0, idle: 0, away: 0, busy: 0, dnd: 0, invisible: 0 };
  return { users: 0, widgets: 0, backgroundSessions: 0, focused: 0, typing: 0, statuses };
}

/** Adds a row to the counts (step 1), or removes it from them (step -1). */
export function countRow(counts: Counts, { value }: Row, step: 1 | -1): void {
  const { widgets, backgroundSessions, status } = value;
  const some = (is: "hasFocus" | "isTyping") =>
    widgets.some((session) => session[is]) || backgroundSessions.some((session) => session[is]);
  counts.users += step;
  counts.statuses[status] += step;
  counts.widgets += step * widgets.length;
  counts.backgroundSessions += step * backgroundSessions.length;
  if (some("hasFocus")) counts.focused += step;
  if (some("isTyping")) counts.typing += step;
}
