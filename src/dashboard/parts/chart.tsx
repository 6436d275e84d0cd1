import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { clockTime, fewDigits, lastMinutes, wholeNumber } from "../model/format.ts";
import type { Measure } from "../model/history.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { makePlot } from "./make-plot.ts";

interface Props {
  readonly store: PresenceStore;
  readonly measure: Measure;
  readonly title: string;
}

/**
 * The current value of a measure and its values so far. Pointing at the chart shows the value at that time.
 */
export function Chart({ store, measure, title }: Props) {
  useTopic(store.changed);
  useTopic(store.ticked);
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [hovered, setHovered] = useState<number | null>(null);
  useEffect(() => {
    const made = makePlot(place.current!, () => store.history.marks, setHovered);
    plot.current = made.plot;
    return made.destroy;
  }, [store]);
  const draw = useCallback(() => {
    const now = Date.now() / 1000;
    plot.current?.batch(() => {
      plot.current!.setData(store.history.series(measure, now), false);
      const [min, max] = store.history.axis(now);
      plot.current!.setScale("x", { min, max });
    });
  }, [store, measure]);
  useEffect(() => {
    draw();
    return store.ticked.listen(draw);
  }, [store, draw]);

  const [times, values] = plot.current?.data ?? [[], []];
  const format = measure === "changesPerSecond" ? fewDigits : wholeNumber;
  const current = currentValue(store, measure);
  const before = hovered === null ? undefined : values?.[hovered];
  const shown = before === undefined || before === null ? current : before;
  const text = shown === null ? "–" : format(shown);
  const when = before === undefined || before === null ? "" : clockTime(times[hovered!]! * 1000);
  const [from, to] = store.history.axis(Date.now() / 1000);
  return (
    <figure class={`chart ${measure}`}>
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-when">{when}</span>
        <span class="chart-value">{text}</span>
      </figcaption>
      <div
        ref={place}
        class="plot"
        role="img"
        aria-label={`${title}, ${lastMinutes(to - from)}, now ${text}`}
      />
    </figure>
  );
}

function currentValue(store: PresenceStore, measure: Measure): number | null {
  const { users, focused, typing } = store.live.counts;
  if (store.isPending) return null;
  if (measure === "online") return users;
  if (measure === "focused") return focused;
  if (measure === "typing") return typing;
  return store.history.last(measure);
}
