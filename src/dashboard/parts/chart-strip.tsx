import type { PresenceStore } from "../store/presence-store.ts";
import { Chart } from "./chart.tsx";

/** Charts of at most the last 15 minutes. A dashed line in them is a change of the filter. */
export function ChartStrip({ store }: { readonly store: PresenceStore }) {
  return (
    <section class="charts" aria-label="Charts">
      <Chart store={store} measure="online" title="Online" />
      <Chart store={store} measure="focused" title="Focused" />
      <Chart store={store} measure="typing" title="Typing" />
      <Chart store={store} measure="changesPerSecond" title="Changes per second" />
    </section>
  );
}
