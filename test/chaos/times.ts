/** Periods of the gateway under chaos. They are short, so that much happens in a minute. */
export const TIMES = {
  windowMs: 3_000,
  heartbeatMs: 2_000,
  typingMs: 2_000,
  drainMs: 800,
  connectTimeoutMs: 2_000,
  tokenSeconds: 12,
} as const;

/**
 * Minimum and maximum time until the gateway notices a silent network. A ping may be pending, hence the
 * minimum.
 */
export const SOONEST_DETECTION_MS = TIMES.heartbeatMs / 2;
export const LATEST_DETECTION_MS = TIMES.heartbeatMs * 1.5;
/** The contract promises one second. The other is for a busy machine. */
export const SLACK_MS = 2_000;
/** The message of every error that is injected into a gateway, see injected-faults.ts. */
export const INJECTED = "an injected fault";
/** How long after a signal functions of the gateway throw at random. */
export const FAULTS_MS = 1_000;
