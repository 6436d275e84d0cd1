import { setTimeout as delay } from "node:timers/promises";

/** Limit for anything that may hang, even on a busy machine. A test may take longer. */
export const PATIENCE_MS = 60_000;

/** Waits for a condition that becomes true by itself. Throws if it does not. */
export async function until(isSo: () => boolean | Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${patienceMs} ms: ${isSo}`);
    await delay(2);
  }
}
