import { BURST_MS, MESSAGE_MS } from "./limits.ts";

export type Pace = ReturnType<typeof createPace>;

/**
 * When the next message may go out, so that the gateway refuses none for coming too fast. After a quiet time
 * a burst may go out at once. Pure: `now` is any monotonic time in milliseconds.
 * @param factor How many times more than the socket of a user this one may send.
 */
export function createPace(factor: number) {
  const shortestMs = MESSAGE_MS / factor;
  let intervalMs = shortestMs;
  /** When all that was sent would be out, had each message waited for its interval. */
  let outAt = Number.NEGATIVE_INFINITY;

  return {
    /** Whether a message had better wait. */
    isOver: (now: number): boolean => outAt > now + BURST_MS,

    sent(now: number): void {
      outAt = Math.max(outAt, now) + intervalMs;
      // After a refusal the rate recovers little by little.
      intervalMs = Math.max(shortestMs, intervalMs * 0.99);
    },

    /** A message came too fast: nothing goes out for a while, and then less. */
    refused(now: number): void {
      // Messages that were sent together are refused together, and count once.
      if (outAt > now + 1.5 * BURST_MS) return;
      outAt = now + 2 * BURST_MS;
      intervalMs = Math.min(2 * intervalMs, BURST_MS / 4);
    },
  };
}

/** Milliseconds on a clock that never goes back. */
export const now = (): number => performance.now();
