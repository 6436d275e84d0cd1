import { clockTime } from "../model/format.ts";
import type { Watch } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { Chart } from "./chart.tsx";

/** What happened in the last quarter of an hour, of the filter that is shown. */
export function ChartStrip({ watch }: { readonly watch: Watch }) {
  useTopic(watch.changed);
  const since = watch.since === 0 ? "" : ` since ${clockTime(watch.since)}`;
  return (
    <section class="charts" aria-label={`The last 15 minutes of this filter${since}`}>
      <Chart watch={watch} measure="online" title="Online" />
      <Chart watch={watch} measure="focused" title="Focused" />
      <Chart watch={watch} measure="typing" title="Typing" />
      <Chart watch={watch} measure="diffsPerSecond" title="Diffs per second" />
    </section>
  );
}
