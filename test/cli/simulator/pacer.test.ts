import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Pacer } from "../../../src/cli/simulator/pacer.ts";

const { signal } = new AbortController();
const PER_SECOND = 50;
const INTERVAL_MS = 1_000 / PER_SECOND;
/** A timer may be early by a millisecond. */
const EARLY_MS = 2;

/** Resolves with the order in which three callers continue, and how long the last one waited. */
async function threeCallers(pacer: Pacer): Promise<{ order: number[]; tookMs: number }> {
  const startedAt = performance.now();
  const order: number[] = [];
  await Promise.all([1, 2, 3].map(async (caller) => pacer.wait(signal).then(() => order.push(caller))));
  return { order, tookMs: performance.now() - startedAt };
}

test("spaces out callers, in their order", async () => {
  const { order, tookMs } = await threeCallers(new Pacer(PER_SECOND));
  expect(order).toEqual([1, 2, 3]);
  expect(tookMs).toBeGreaterThanOrEqual(2 * INTERVAL_MS - EARLY_MS);
});

test("does not save up time in which nobody waited", async () => {
  const pacer = new Pacer(PER_SECOND);
  await pacer.wait(signal);
  await sleep(5 * INTERVAL_MS);
  expect((await threeCallers(pacer)).tookMs).toBeGreaterThanOrEqual(2 * INTERVAL_MS - EARLY_MS);
});

test("a wait ends when its signal aborts", async () => {
  await expect(new Pacer(PER_SECOND).wait(AbortSignal.abort())).rejects.toThrow("aborted");
});
