import { totalmem } from "node:os";
import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { MemoryUse } from "../gateway/load-shedder.ts";

const SAMPLE_MS = 500;

export interface MemoryWatch {
  /** Collects all garbage of the heap, and does nothing else meanwhile. */
  collect(): void;
  stop(): void;
}

/** Tells twice a second what memory this process uses, until it is stopped. */
export function watchMemory(onSample: (use: MemoryUse) => void): MemoryWatch {
  const residentLimit = memoryBytes();
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  let heap = 0;
  const collections = new PerformanceObserver((list) => {
    if (list.getEntries().some(isOfWholeHeap)) heap = getHeapStatistics().used_heap_size;
  });
  collections.observe({ entryTypes: ["gc"] });
  const timer = setInterval(
    () => onSample({ resident: process.memoryUsage.rss(), residentLimit, heap, heapLimit }),
    SAMPLE_MS,
  );
  timer.unref();
  return {
    collect: exposedCollector(),
    stop() {
      clearInterval(timer);
      collections.disconnect();
    },
  };
}

/** The bytes that this process may use. */
export function memoryBytes(): number {
  return memoryLimit(process.constrainedMemory?.(), totalmem());
}

/** What a container may use, or else all that there is: where nothing is set Node says nothing, 0, or more than there is. */
export function memoryLimit(constrained: number | undefined, total: number): number {
  return constrained !== undefined && constrained > 0 && constrained < total ? constrained : total;
}

/** Node hides it unless it is started with --expose-gc; a context that is made later has it all the same. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}

function isOfWholeHeap(collection: PerformanceEntry): boolean {
  const { detail } = collection as PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
