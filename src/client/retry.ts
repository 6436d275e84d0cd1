import {
  FIRST_WAIT_MS,
  GOOD_AFTER_MS,
  LONGEST_WAIT_MS,
  RETRY_DELAY_MS,
  USEFUL_AFTER_MS,
  USEFUL_ATTEMPTS,
} from "./limits.ts";

/** How long a refused request waits before it is made again, in milliseconds; the first time is number 0. */
export function repeatDelay(refusals: number): number {
  return Math.min(LONGEST_WAIT_MS, RETRY_DELAY_MS * 2 ** refusals);
}

/**
 * How long to wait before an attempt, in milliseconds; the first is number 0. `lostForMs` is the time since
 * the last connection was lost, `random` lies in [0, 1). Full jitter: clients that lost their sockets
 * together do not come back together. The first few attempts lie well inside the resume window, so that
 * nobody sees that the socket was lost. Where very many clients come back, most are refused at first: up to
 * the end of the window no wait is longer than half of what is left of it, which spreads the attempts over
 * all of it and leaves no client to be late.
 */
export function retryDelay(
  attempt: number,
  resumeWindowMs: number,
  lostForMs: number,
  random: number,
): number {
  const first = Math.max(50, Math.min(FIRST_WAIT_MS, resumeWindowMs / 5));
  const longest = Math.min(LONGEST_WAIT_MS, first * 2 ** attempt);
  const leftMs = resumeWindowMs - lostForMs;
  return random * (leftMs > 0 ? Math.min(longest, Math.max(first, leftMs / 2)) : longest);
}

export type RetrySchedule = ReturnType<typeof createRetrySchedule>;

/**
 * How long to wait before connecting again, from how long the connections lasted. Whether to reconnect:
 * `retryPolicy` in protocol/codes.ts. Pure: `now` is any monotonic time in milliseconds.
 */
export function createRetrySchedule() {
  let attempts = 0;
  let connectedAt = 0;
  /** When a connection that was of use was lost. */
  let lostAt = Number.NEGATIVE_INFINITY;
  let resumeWindowMs = 15_000;

  return {
    /** How long the gateway keeps the sessions of a lost connection. */
    resumeWindowMs: () => resumeWindowMs,

    /** @param windowMs How long the gateway keeps the sessions of a lost connection. */
    connected(now: number, windowMs: number): void {
      connectedAt = now;
      resumeWindowMs = windowMs;
    },

    /** The connection is lost. Returns whether it was a good one. */
    lost(now: number): boolean {
      const lastedMs = now - connectedAt;
      if (lastedMs > USEFUL_AFTER_MS) {
        attempts = Math.min(attempts, USEFUL_ATTEMPTS);
        lostAt = now;
      }
      if (lastedMs <= GOOD_AFTER_MS) return false;
      attempts = 0;
      return true;
    },

    /**
     * How long to wait before the next attempt, in milliseconds. Each call counts as one. `random` lies in
     * [0, 1).
     */
    nextDelay: (now: number, random: number): number =>
      retryDelay(attempts++, resumeWindowMs, now - lostAt, random),
  };
}
