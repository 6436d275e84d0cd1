import type { SortKey } from "../model/dashboard-state.ts";

export interface Column {
  readonly name:
    | "user"
    | "status"
    | "attention"
    | "conversation"
    | "sessions"
    | "custom"
    | "since"
    | "changed";
  readonly title: string;
  /** The sort key of the header; undefined if the column is not sortable. */
  readonly sort: SortKey | undefined;
}

/** The title of the column `since` if the filter has one conversation. */
export const SINCE_IN_CONVERSATION = "In conversation since";

export const COLUMNS: readonly Column[] = [
  { name: "user", title: "User", sort: "user" },
  { name: "status", title: "Status", sort: "status" },
  { name: "attention", title: "Attention", sort: "attention" },
  { name: "conversation", title: "Conversation", sort: "conversation" },
  { name: "sessions", title: "Sessions", sort: "sessions" },
  { name: "custom", title: "Custom", sort: undefined },
  { name: "since", title: "Online since", sort: "since" },
  { name: "changed", title: "Changed", sort: "changed" },
];
