import { setTimeout as delay } from "node:timers/promises";

/**
 * Repeats an action with pauses until the run is over. It ignores errors, because the gateway may be down at
 * the moment.
 */
export async function again(act: () => Promise<void>, pauseMs: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await act().catch(() => {});
    if (!isOver()) await delay(pauseMs);
  }
}
