import type { PresenceFilter } from "../../client/types.ts";

export const SORT_KEYS = ["user", "status", "conversation", "sessions", "since", "changed"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Sort {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

export const VIEWS = ["users", "conversations"] as const;
/** What a row of the table is. */
export type View = (typeof VIEWS)[number];

/**
 * Filter, search and sort order of the page. The address holds it. A filter field that matches anything is
 * absent.
 */
export interface DashboardState {
  readonly filter: PresenceFilter;
  readonly view: View;
  readonly search: string;
  readonly sort: Sort;
}

export const DEFAULT_SORT: Sort = { key: "user", isDescending: false };
export const DEFAULT_STATE: DashboardState = { filter: {}, view: "users", search: "", sort: DEFAULT_SORT };

/**
 * Reads the state from the fragment of an address. The fragment is used because browsers send it to no
 * server. An empty `conversation` means null (no id is empty). `user` occurs once per id. Unknown or invalid
 * fields are ignored.
 */
export function parseState(fragment: string): DashboardState {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const conversation = fields.get("conversation");
  const hasFocus = readYesNo(fields.get("focus"));
  const isTyping = readYesNo(fields.get("typing"));
  const userIds = [...new Set(fields.getAll("user").filter((id) => id !== ""))];
  const [key = "", direction] = (fields.get("sort") ?? "").split(".");
  return {
    filter: {
      ...(fields.get("background") === "yes" && { includeBackgroundSessions: true }),
      ...(conversation !== null && { selectedConversationId: conversation === "" ? null : conversation }),
      ...(hasFocus !== undefined && { hasFocus }),
      ...(isTyping !== undefined && { isTyping }),
      ...(userIds.length > 0 && { userIds }),
    },
    view: fields.get("view") === "conversations" ? "conversations" : "users",
    search: fields.get("search") ?? "",
    sort: isSortKey(key) ? { key, isDescending: direction === "desc" } : DEFAULT_SORT,
  };
}

/** The fragment that `parseState` reads. It is empty for the default state. */
export function formatState({ filter, view, search, sort }: DashboardState): string {
  const fields = new URLSearchParams();
  if (filter.includeBackgroundSessions) fields.set("background", "yes");
  if (filter.selectedConversationId !== undefined) {
    fields.set("conversation", filter.selectedConversationId ?? "");
  }
  if (typeof filter.hasFocus === "boolean") fields.set("focus", yesNo(filter.hasFocus));
  if (typeof filter.isTyping === "boolean") fields.set("typing", yesNo(filter.isTyping));
  for (const userId of filter.userIds ?? []) fields.append("user", userId);
  if (view !== DEFAULT_STATE.view) fields.set("view", view);
  if (search !== "") fields.set("search", search);
  if (sort.key !== DEFAULT_SORT.key || sort.isDescending) {
    fields.set("sort", sort.isDescending ? `${sort.key}.desc` : sort.key);
  }
  const text = fields.toString();
  return text === "" ? "" : `#${text}`;
}

/** Whether two filters, as `parseState` returns them, match the same users. */
export function isSameFilter(one: PresenceFilter, other: PresenceFilter): boolean {
  const text = (filter: PresenceFilter) =>
    formatState({ ...DEFAULT_STATE, filter: { ...filter, userIds: [...(filter.userIds ?? [])].sort() } });
  return text(one) === text(other);
}

function readYesNo(text: string | null): boolean | undefined {
  return text === "yes" ? true : text === "no" ? false : undefined;
}

function yesNo(value: boolean): "yes" | "no" {
  return value ? "yes" : "no";
}

function isSortKey(text: string): text is SortKey {
  return (SORT_KEYS as readonly string[]).includes(text);
}
