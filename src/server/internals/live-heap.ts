import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

export interface LiveHeap {
  /** What the last collection of the whole heap left in it; undefined before the first one. */
  readonly bytes: number | undefined;
  stop(): void;
}

/**
 * Measures the live data in the JavaScript heap, without its garbage.
 *
 * Relies on: Node reports a collection of the whole heap to a performance observer right after it, as an
 * entry of type `gc` whose `detail.kind` is `NODE_PERFORMANCE_GC_MAJOR`. What is in the heap at that moment
 * is alive.
 * Why: `heapUsed` at any other time may be half garbage, and would close the gateway to new clients for
 * nothing.
 * Without it: `bytes` stays undefined, and only resident memory closes the gateway to new clients.
 */
export function monitorLiveHeap(): LiveHeap {
  let bytes: number | undefined;
  const collections = new PerformanceObserver((list) => {
    if (list.getEntries().some(isOfWholeHeap)) bytes = getHeapStatistics().used_heap_size;
  });
  collections.observe({ entryTypes: ["gc"] });
  return {
    get bytes() {
      return bytes;
    },
    stop: () => collections.disconnect(),
  };
}

function isOfWholeHeap(collection: PerformanceEntry): boolean {
  const { detail } = collection as PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
