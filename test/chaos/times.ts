/** The periods of the gateway under chaos: short, so that much happens in a minute. */
export const TIMES = {
  windowMs: 3_000,
  heartbeatMs: 2_000,
  typingMs: 2_000,
  drainMs: 800,
  connectTimeoutMs: 2_000,
  tokenSeconds: 12,
} as const;

/** How long after a network went silent the gateway may take to notice: at least, since a ping may be out; and at most. */
export const SOONEST_DETECTION_MS = TIMES.heartbeatMs / 2;
export const LATEST_DETECTION_MS = TIMES.heartbeatMs * 1.5;
/** A second is the promise, another is for a busy machine. */
export const SLACK_MS = 2_000;
/** What every error says that is injected into a gateway, see injected-faults.ts. */
export const INJECTED = "an injected fault";
/** For so long after a signal functions of the gateway throw at random. */
export const FAULTS_MS = 1_000;
