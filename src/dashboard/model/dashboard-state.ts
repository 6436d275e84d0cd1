import type { PresenceFilter } from "../../client/types.ts";
import { FILTER_STATUSES } from "./status.ts";

export const SORT_KEYS = [
  "user",
  "status",
  "attention",
  "conversation",
  "sessions",
  "since",
  "changed",
] as const;
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
 * server. An empty `conversation` means null (no id is empty). `user` and `status` occur once for each of
 * them, `custom.<key>` once for each of its values. Unknown or invalid fields are ignored.
 */
export function parseState(fragment: string): DashboardState {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const conversation = fields.get("conversation");
  const hasFocus = readYesNo(fields.get("focus"));
  const isTyping = readYesNo(fields.get("typing"));
  const userIds = [...new Set(fields.getAll("user").filter((id) => id !== ""))];
  const statuses = FILTER_STATUSES.filter((status) => fields.getAll("status").includes(status));
  const custom = readCustom(fields);
  const [key = "", direction] = (fields.get("sort") ?? "").split(".");
  return {
    filter: {
      ...(fields.get("background") === "yes" && { includeBackgroundSessions: true }),
      ...(conversation !== null && { selectedConversationId: conversation === "" ? null : conversation }),
      ...(hasFocus !== undefined && { hasFocus }),
      ...(isTyping !== undefined && { isTyping }),
      ...(statuses.length > 0 && { status: statuses }),
      ...(custom !== undefined && { custom }),
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
  for (const status of filter.status ?? []) fields.append("status", status);
  for (const [name, values] of Object.entries(filter.custom ?? {})) {
    for (const value of [values].flat()) fields.append(CUSTOM + name, value);
  }
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
  return sortedText(one) === sortedText(other);
}

function sortedText(filter: PresenceFilter): string {
  const { userIds, status, custom } = filter;
  const pairs = Object.entries(custom ?? {}).map(([name, values]) => [name, [values].flat().sort()] as const);
  const sorted = {
    userIds: [...(userIds ?? [])].sort(),
    status: [...(status ?? [])].sort(),
    custom: Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : 1))),
  };
  return formatState({ ...DEFAULT_STATE, filter: { ...filter, ...sorted } });
}

const CUSTOM = "custom.";

function readCustom(fields: URLSearchParams): Record<string, readonly string[]> | undefined {
  const custom = new Map<string, Set<string>>();
  for (const [field, value] of fields) {
    if (!field.startsWith(CUSTOM) || field === CUSTOM) continue;
    const name = field.slice(CUSTOM.length);
    custom.set(name, (custom.get(name) ?? new Set()).add(value));
  }
  if (custom.size === 0) return undefined;
  return Object.fromEntries([...custom].map(([name, values]) => [name, [...values]]));
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
