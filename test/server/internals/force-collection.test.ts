import { expect, it } from "vitest";
import { createCollector } from "../../../src/server/internals/force-collection.ts";
import { monitorLiveHeap } from "../../../src/server/internals/live-heap.ts";

it("V8 still gives a new context its collector, without --expose-gc, and collects at once", async () => {
  const collect = createCollector();
  const leaked = new WeakRef({ text: "nobody holds this" });
  // A WeakRef keeps its target until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(
    leaked.deref(),
    "gc() is missing in a new context: see internals/force-collection.ts",
  ).toBeUndefined();
});

it("Node still reports collections of the whole heap, with what is alive after them", async () => {
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
