import type { DashboardState } from "../model/dashboard-state.ts";
import { toCsv, toJson } from "../model/export-text.ts";
import { plural } from "../model/format.ts";
import { download } from "../store/download.ts";
import type { PresenceStore } from "../store/presence-store.ts";

interface Props {
  readonly appId: string;
  readonly store: PresenceStore;
  readonly state: DashboardState;
}

/** Saves the users that the table shows as a file, in the order of the table. */
export function ExportBar({ appId, store, state }: Props) {
  const rows = store.rows.shown;
  const saveCsv = () => download("csv", "text/csv;charset=utf-8", toCsv(rows));
  const saveJson = () => {
    const { filter, search } = state;
    download("json", "application/json", toJson({ appId, at: Date.now(), filter, search }, rows));
  };
  return (
    <div class="export-bar">
      <span class="muted">Save {plural(rows.length, "user")} as</span>
      <button class="button" type="button" disabled={rows.length === 0} onClick={saveCsv}>
        CSV
      </button>
      <button class="button" type="button" disabled={rows.length === 0} onClick={saveJson}>
        JSON
      </button>
    </div>
  );
}
