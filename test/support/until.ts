import { setTimeout as delay } from "node:timers/promises";

/** Waits for something that comes by itself, soon; throws if it does not. */
export async function until(isSo: () => boolean | Promise<boolean>, patienceMs = 20_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${patienceMs} ms: ${isSo}`);
    await delay(2);
  }
}
