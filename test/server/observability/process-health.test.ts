import { afterEach, expect, it, vi } from "vitest";
import { NodeDescription } from "../../../src/server/http/schemas.ts";
import { monitorProcess } from "../../../src/server/observability/process-health.ts";

afterEach(() => void vi.useRealTimers());

it("is what the HTTP interface promises, from the first moment on", () => {
  const health = monitorProcess();
  const read = health.read();
  health.stop();
  expect(NodeDescription.safeParse({ nodeId: "node", version: "1.0.0", ...read }).success).toBe(true);
  expect(read.rssBytes).toBeGreaterThan(0);
});

it("shows the delays of the last full window to all who read", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const health = monitorProcess();
  vi.advanceTimersByTime(10_000);
  const first = health.read().eventLoopDelayMs;
  expect(health.read().eventLoopDelayMs).toBe(first);
  vi.advanceTimersByTime(9_999);
  expect(health.read().eventLoopDelayMs).toBe(first);
  vi.advanceTimersByTime(1);
  expect(health.read().eventLoopDelayMs).not.toBe(first);
  health.stop();
  expect(vi.getTimerCount()).toBe(0);
});
