import type { Row } from "./row.ts";

/** Of everyone whom the filter matches. */
export interface Counts {
  users: number;
  widgets: number;
  backgroundSessions: number;
  /** Users with the focus on a widget, and users who type. */
  focused: number;
  typing: number;
}

export function noCounts(): Counts {
  return { users: 0, widgets: 0, backgroundSessions: 0, focused: 0, typing: 0 };
}

/** Counts a row, or with -1 counts it no more. */
export function count(counts: Counts, { value }: Row, step: 1 | -1): void {
  const { widgets, backgroundSessions } = value;
  const some = (is: "hasFocus" | "isTyping") =>
    widgets.some((session) => session[is]) || backgroundSessions.some((session) => session[is]);
  counts.users += step;
  counts.widgets += step * widgets.length;
  counts.backgroundSessions += step * backgroundSessions.length;
  if (some("hasFocus")) counts.focused += step;
  if (some("isTyping")) counts.typing += step;
}
