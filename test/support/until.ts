import { setTimeout as delay } from "node:timers/promises";

/** Limit for anything that may hang, even on a busy machine. A test may take longer. */
export const PATIENCE_MS = 240_000;

/** How long a wait pauses between two looks. A long wait looks less often, as looks cost processor time. */
const pauseMs = (waitedMs: number) => Math.min(25, Math.max(2, waitedMs / 20));

/** Waits for a condition that becomes true by itself. Throws if it does not. */
export async function until(isSo: () => boolean | Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const startedAt = performance.now();
  while (!(await isSo())) {
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > patienceMs) throw new Error(`not so within ${patienceMs} ms: ${isSo}`);
    await delay(pauseMs(waitedMs));
  }
}
