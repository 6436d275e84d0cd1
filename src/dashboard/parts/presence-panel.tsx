import { type DashboardState, SORT_KEYS, type SortKey } from "../model/dashboard-state.ts";
import { plural, wholeNumber } from "../model/format.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { useTopic } from "../store/use-topic.ts";
import { PresenceTable } from "./presence-table.tsx";
import { StateNotice } from "./state-notice.tsx";
import type { TableActions } from "./table-actions.ts";
import { COLUMNS } from "./table-columns.ts";

interface Props extends TableActions {
  readonly store: PresenceStore;
  readonly state: DashboardState;
  readonly selected: string | undefined;
  readonly onChange: ChangeState;
}

/** The table of users, with its counts, search field and sort order. */
export function PresencePanel({ store, state, selected, onChange, ...actions }: Props) {
  useTopic(store.changed);
  const { counts, shown } = store.rows;
  const { search, sort } = state;
  return (
    <section class="panel presence" aria-labelledby="presence-title">
      <div class="presence-head">
        <h2 id="presence-title">Who is online</h2>
        <p class="counts">
          <strong>{plural(counts.users, "user")}</strong>
          <span>{plural(counts.widgets, "widget")}</span>
          <span>{wholeNumber(counts.backgroundSessions)} background</span>
          <span>{wholeNumber(counts.focused)} focused</span>
          <span>{wholeNumber(counts.typing)} typing</span>
          {search !== "" && <span>{wholeNumber(shown.length)} found</span>}
        </p>
        <div class="presence-tools">
          <label class="visually-hidden" for="search">
            Search users, conversations and custom fields
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
          <label class="sort-field">
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
      <StateNotice store={store} search={search} />
      {shown.length > 0 && (
        <PresenceTable store={store} sort={sort} selected={selected} onChange={onChange} {...actions} />
      )}
    </section>
  );
}
