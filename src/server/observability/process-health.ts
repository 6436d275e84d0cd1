import { monitorEventLoopDelay } from "node:perf_hooks";

export interface ProcessHealth {
  readonly uptimeSeconds: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The time between two samples of the event loop. Each sample wakes an idle process. */
export const EVENT_LOOP_TICK_MS = 20;
const WINDOW_MS = 10_000;

/**
 * Monitors this process. The event-loop delay is that of the last full window, so all readers see the same.
 * It has a histogram of its own: the histogram behind the metrics starts again at each scrape.
 */
export function monitorProcess(): { read(): ProcessHealth; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: EVENT_LOOP_TICK_MS });
  histogram.enable();
  // The histogram holds the whole time from tick to tick, and is NaN before the first tick.
  const beyondTick = (nanoseconds: number) =>
    Math.round(1000 * Math.max(0, (nanoseconds || 0) / 1e6 - EVENT_LOOP_TICK_MS)) / 1000;
  const summarize = () => ({
    p50: beyondTick(histogram.percentile(50)),
    p99: beyondTick(histogram.percentile(99)),
    max: beyondTick(histogram.count === 0 ? 0 : histogram.max),
  });
  let last: ProcessHealth["eventLoopDelayMs"] | undefined;
  const timer = setInterval(() => {
    last = summarize();
    histogram.reset();
  }, WINDOW_MS);
  timer.unref();
  return {
    read() {
      const { rss, heapUsed } = process.memoryUsage();
      return {
        uptimeSeconds: Math.floor(process.uptime()),
        rssBytes: rss,
        heapUsedBytes: heapUsed,
        eventLoopDelayMs: last ?? summarize(),
      };
    },
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
