/** Where time comes from. Everything that measures a period takes one of these, so tests can turn it by hand. */
export interface Clock {
  /** Milliseconds of a clock that never goes back; its zero means nothing. */
  now(): number;
  /** Milliseconds since 1970, as tokens count them. */
  wallNow(): number;
}

/** A longer pause between two readings means that the process stood still. */
const LONGEST_HONEST_PAUSE_MS = 1_000;

/**
 * A monotonic clock that stands still while the process does (SIGSTOP, a sleeping laptop, a long collection).
 * Periods measured on it are time in which we could have heard our peers, so a gateway that wakes up does not take
 * its own sleep for the silence of its clients. It must be read more often than once a second to tell the two apart.
 */
export function createAwakeClock(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
): Clock {
  let last = monotonic();
  let slept = 0;
  return {
    now() {
      const real = monotonic();
      const pause = real - last;
      last = real;
      if (pause > LONGEST_HONEST_PAUSE_MS) slept += pause;
      return real - slept;
    },
    wallNow: wall,
  };
}
