import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { expect, it } from "vitest";
import type { MemoryUse } from "../../../src/server/gateway/load-shedder.ts";
import { memoryLimit, monitorMemory } from "../../../src/server/observability/process-memory.ts";

it.each([
  ["a container's", 256, 256],
  ["what an older Node does not tell", undefined, 1_000],
  ["none, as some systems say it", 0, 1_000],
  ["none, as others do", 2 ** 64, 1_000],
  ["more than there is", 1_001, 1_000],
])("the limit of memory: %s", (_name, constrained, limit) => {
  expect(memoryLimit(constrained, 1_000)).toBe(limit);
});

it("garbage does not count as heap once it was collected, and a defect in between ends nothing", async () => {
  const samples: MemoryUse[] = [];
  const crashes: unknown[] = [];
  const defect = new Error("a defect");
  const memory = monitorMemory(
    (error) => crashes.push(error),
    (use) => {
      samples.push(use);
      if (samples.length === 1) throw defect;
    },
  );
  const garbage = Array.from({ length: 300_000 }, (_, i) => ({ text: `garbage ${i}` }));
  memory.collect();
  await expect.poll(() => samples.at(-1)?.heap).toBeGreaterThan(0);
  const { resident, residentLimit, heap, heapLimit } = samples.at(-1)!;
  expect(resident).toBeGreaterThan(20e6);
  expect(residentLimit).toBeLessThanOrEqual(totalmem());
  expect(heapLimit).toBe(getHeapStatistics().heap_size_limit);
  expect(heap).toBeLessThan(heapLimit);
  garbage.length = 0;
  memory.collect();
  await expect.poll(() => samples.at(-1)!.heap).toBeLessThan(heap - 10e6);
  expect(crashes).toEqual([defect]);
  memory.stop();
});
