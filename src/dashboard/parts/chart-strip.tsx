import { clockTime } from "../model/format.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { Chart } from "./chart.tsx";

/** Charts of the last 15 minutes of the current filter. */
export function ChartStrip({ store }: { readonly store: PresenceStore }) {
  useTopic(store.changed);
  const since = store.since === 0 ? "" : ` since ${clockTime(store.since)}`;
  return (
    <section class="charts" aria-label={`The last 15 minutes of this filter${since}`}>
      <Chart store={store} measure="online" title="Online" />
      <Chart store={store} measure="focused" title="Focused" />
      <Chart store={store} measure="typing" title="Typing" />
      <Chart store={store} measure="diffsPerSecond" title="Diffs per second" />
    </section>
  );
}
