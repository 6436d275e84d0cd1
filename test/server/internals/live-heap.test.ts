import { expect, it } from "vitest";
import { createCollector } from "../../../src/server/internals/force-collection.ts";
import { monitorLiveHeap } from "../../../src/server/internals/live-heap.ts";

it("Node still reports collections of the whole heap, with the live data that they leave", async () => {
  const heap = monitorLiveHeap();
  expect(heap.bytes).toBeUndefined();
  createCollector()();
  await expect
    .poll(() => heap.bytes, {
      message: "no gc entry of kind NODE_PERFORMANCE_GC_MAJOR: see internals/live-heap.ts",
    })
    .toBeGreaterThan(0);
  heap.stop();
});
