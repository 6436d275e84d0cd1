import { setTimeout as delay } from "node:timers/promises";

/** Does something again and again, with pauses, until it is over. What goes wrong is that the gateway is away at the moment. */
export async function again(act: () => Promise<void>, pauseMs: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await act().catch(() => {});
    if (!isOver()) await delay(pauseMs);
  }
}
