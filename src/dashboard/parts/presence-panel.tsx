import { type DashboardState, SORT_KEYS, type SortKey, type View } from "../model/dashboard-state.ts";
import { plural, wholeNumber } from "../model/format.ts";
import { FILTER_STATUSES, STATUS_TEXTS } from "../model/status.ts";
import type { NodePoll } from "../store/node-poll.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { useTopic } from "../store/use-topic.ts";
import { Choice } from "./choice.tsx";
import { ConversationTable } from "./conversation-table.tsx";
import { ExportBar } from "./export-bar.tsx";
import { PresenceTable } from "./presence-table.tsx";
import { StateNotice } from "./state-notice.tsx";
import type { TableActions } from "./table-actions.ts";
import { COLUMNS } from "./table-columns.ts";

const VIEW_OPTIONS: readonly (readonly [View, string])[] = [
  ["users", "Users"],
  ["conversations", "Conversations"],
];

interface Props extends TableActions {
  readonly appId: string;
  readonly store: PresenceStore;
  readonly poll: NodePoll;
  readonly state: DashboardState;
  readonly selected: string | undefined;
  readonly onChange: ChangeState;
}

/** The table of users or of conversations, with counts, search field, sort order, pause and export. */
export function PresencePanel({ appId, store, poll, state, selected, onChange, ...actions }: Props) {
  useTopic(store.changed);
  const { counts, shown } = store.rows;
  const { search, sort, view, filter } = state;
  const isPaused = store.pausedAt !== undefined;
  return (
    <section class="panel presence" aria-labelledby="presence-title">
      <div class="presence-head">
        <h2 id="presence-title">Who is online</h2>
        <p class="counts">
          <strong>{plural(counts.users, "user")}</strong>
          <span>{plural(counts.widgets, "widget")}</span>
          {/* A zero would say that there are none. */}
          <span>
            {filter.includeBackgroundSessions
              ? `${wholeNumber(counts.backgroundSessions)} background`
              : "background hidden"}
          </span>
          <span>{wholeNumber(counts.focused)} focused</span>
          <span>{wholeNumber(counts.typing)} typing</span>
          {FILTER_STATUSES.map(
            (status) =>
              status !== "online" &&
              counts.statuses[status] > 0 && (
                <span key={status}>
                  {wholeNumber(counts.statuses[status])} {STATUS_TEXTS[status]}
                </span>
              ),
          )}
          {search !== "" && <span>{wholeNumber(shown.length)} found</span>}
        </p>
        <div class="presence-tools">
          <Choice
            label="Rows"
            options={VIEW_OPTIONS}
            value={view}
            onChange={(chosen) => onChange({ view: chosen })}
          />
          <button
            class="button pause"
            type="button"
            onClick={() => (isPaused ? store.resume() : store.pause())}
          >
            {isPaused ? "Resume" : "Pause"}
          </button>
          <label class="visually-hidden" for="search">
            Search users, statuses, conversations and custom fields
          </label>
          <input
            id="search"
            class="text-field"
            type="search"
            dir="auto"
            placeholder="Search"
            autocomplete="off"
            spellcheck={false}
            value={search}
            onInput={(event) => onChange({ search: event.currentTarget.value }, false)}
          />
          <label class={view === "users" ? "sort-field" : "sort-field hidden"}>
            <span>Sort</span>
            <select
              class="text-field"
              value={sort.key}
              onChange={(event) =>
                onChange({ sort: { key: event.currentTarget.value as SortKey, isDescending: false } })
              }
            >
              {SORT_KEYS.map((key) => (
                <option key={key} value={key}>
                  {COLUMNS.find((column) => column.sort === key)?.title}
                </option>
              ))}
            </select>
          </label>
        </div>
      </div>
      <StateNotice store={store} poll={poll} search={search} />
      {shown.length > 0 &&
        (view === "users" ? (
          <PresenceTable store={store} state={state} selected={selected} onChange={onChange} {...actions} />
        ) : (
          <ConversationTable store={store} {...actions} />
        ))}
      <ExportBar appId={appId} store={store} state={state} />
    </section>
  );
}
