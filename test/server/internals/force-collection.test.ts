import { expect, it } from "vitest";
import { createCollector } from "../../../src/server/internals/force-collection.ts";

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

it("makes one context for all that collect in a process", () => {
  expect(createCollector()).toBe(createCollector());
});
