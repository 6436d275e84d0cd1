/** The source of time. Everything that measures a period takes a clock, so that tests can set the time. */
export interface Clock {
  /** Milliseconds of a clock that never goes back, since an arbitrary moment. */
  now(): number;
  /** Milliseconds since 1970, as tokens count them. */
  wallNow(): number;
}

/** A longer time between two readings is a pause: the process was busy, or it was not running. */
export const MIN_PAUSE_MS = 1_000;
/** How old the last reading of the processor time may be when a pause begins. */
const PROCESSOR_READING_MS = 250;

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * A monotonic clock that stands still while the process is not running (SIGSTOP, a sleeping laptop), so that
 * a gateway that wakes up does not take its own sleep for the silence of its clients. It goes on while the
 * process is busy: a client that keeps the gateway busy must not be able to stop the clock. The processor
 * time that was used in a pause tells the two apart. The clock must be read more often than once a second.
 *
 * @param monotonic Milliseconds of a clock that never goes back.
 * @param wall Milliseconds since 1970.
 * @param processor Milliseconds of processor time that this process has used.
 */
export function createAwakeClock(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
  processor: () => number = processorTime,
): Clock {
  let last = monotonic();
  let pausedMs = 0;
  let used = processor();
  let usedAt = last;
  return {
    now() {
      const real = monotonic();
      const pause = real - last;
      last = real;
      if (pause > MIN_PAUSE_MS) {
        const idle = pause - (processor() - used);
        if (idle > MIN_PAUSE_MS) pausedMs += idle;
      }
      if (real - usedAt >= PROCESSOR_READING_MS) {
        used = processor();
        usedAt = real;
      }
      return real - pausedMs;
    },
    wallNow: wall,
  };
}
