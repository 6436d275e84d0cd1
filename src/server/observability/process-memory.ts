import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { MemoryUse } from "../gateway/load-shedder.ts";
import { createCollector } from "../internals/force-collection.ts";
import { monitorLiveHeap } from "../internals/live-heap.ts";

const SAMPLE_MS = 500;

export interface MemoryMonitor {
  /** Collects all garbage of the heap. The process does nothing else meanwhile. */
  collect(): void;
  stop(): void;
}

/**
 * Calls `onSample` twice a second with the memory that this process uses, until it is stopped. What it throws
 * is handed to `crashed`: a defect there must not end the process. `workers`: so many processes share the
 * memory.
 */
export function monitorMemory(
  crashed: (error: unknown) => void,
  onSample: (use: MemoryUse) => void,
  workers = 1,
): MemoryMonitor {
  const residentLimit = memoryBytes(workers);
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  const liveHeap = monitorLiveHeap();
  const timer = setInterval(() => {
    const resident = process.memoryUsage.rss();
    try {
      onSample({ resident, residentLimit, heap: liveHeap.bytes ?? 0, heapLimit });
    } catch (error) {
      crashed(error);
    }
  }, SAMPLE_MS);
  timer.unref();
  return {
    collect: createCollector(),
    stop() {
      clearInterval(timer);
      liveHeap.stop();
    },
  };
}

/** The bytes that this process may use: the same as each of the others, if several share the memory. */
export function memoryBytes(workers = 1): number {
  return Math.floor(memoryLimit(process.constrainedMemory?.(), totalmem()) / workers);
}

/**
 * The limit of the container, or else all memory. Without a limit Node says nothing, 0, or more than there
 * is.
 */
export function memoryLimit(constrained: number | undefined, total: number): number {
  return constrained !== undefined && constrained > 0 && constrained < total ? constrained : total;
}
