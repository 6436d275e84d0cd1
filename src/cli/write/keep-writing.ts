import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "../http-api.ts";

/** Typing ends by itself unless it is sent again. This is within the shortest sensible timeout for it. */
const TYPING_REFRESH_MS = 4_000;
const RETRY_MS = 2_000;

/** Milliseconds between two writes: two may be lost before the session ends. */
export function refreshMs(ttlMs: number, isTyping: boolean): number {
  return Math.min(ttlMs / 3, isTyping ? TYPING_REFRESH_MS : Number.POSITIVE_INFINITY);
}

/**
 * Writes until it is stopped. A later write that fails for a while is tried again, and `warn` is told once.
 *
 * @throws the error of the first write, or one that another try would not help
 */
export async function keepWriting(
  write: () => Promise<void>,
  periodMs: number,
  stop: AbortSignal,
  warn: (text: string) => void,
): Promise<void> {
  let isFirst = true;
  let isFailing = false;
  while (!stop.aborted) {
    try {
      await write();
      if (isFailing) warn("the gateway answers again");
      isFailing = false;
    } catch (error) {
      if (isFirst || !(error instanceof ApiError && error.isTemporary)) throw error;
      if (!isFailing) warn(`${error.message}; trying again`);
      isFailing = true;
    }
    isFirst = false;
    const waitMs = isFailing ? Math.min(periodMs, RETRY_MS) : periodMs;
    await sleep(waitMs, undefined, { signal: stop }).catch(() => {});
  }
}
