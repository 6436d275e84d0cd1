import { setTimeout as delay } from "node:timers/promises";

/** Only what hangs takes as long, on a machine that is busy with other things, too; and a test may take longer. */
export const PATIENCE_MS = 60_000;

/** Waits for something that comes by itself; throws if it does not. */
export async function until(isSo: () => boolean | Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${patienceMs} ms: ${isSo}`);
    await delay(2);
  }
}
