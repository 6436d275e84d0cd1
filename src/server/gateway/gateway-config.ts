/**
 * The settings that the gateway itself reads; times in milliseconds. See settings.ts for names and defaults.
 */
export interface GatewayConfig {
  readonly diffIntervalMs: number;
  readonly typingTimeoutMs: number;
  readonly resumeWindowMs: number;
  readonly heartbeatIntervalMs: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxConnectsPerSecond: number;
  readonly maxMessageBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxSessionsPerSocket: number;
  readonly maxSubscriptionsPerSocket: number;
  readonly maxSessionsPerUser: number;
  readonly maxSubscriptionBytesPerUser: number;
  readonly messagesPerSecond: number;
  readonly drainMs: number;
  readonly httpRequestsPerSecond: number;
}

/** Before `connect`, messages may have this size at most. */
export const MAX_BYTES_BEFORE_CONNECT = 8_192;
/** A socket or stream that took none of its waiting bytes for this long is ended. */
export const STALL_MS = 10_000;
/** A peer that does not answer a close frame is dropped after this. */
export const CLOSE_TIMEOUT_MS = 2_000;
/** App tokens speak for a whole back end: so many times the sessions and messages of one user's socket. */
export const APP_TOKEN_FACTOR = 100;
/** After a quiet time, as much may be sent at once as otherwise in this time. */
export const BURST_SECONDS = 2;
/** All sockets of a user together have so many times the messages of one, */
export const USER_RATE_FACTOR = 4;
/** and these bytes a second. A socket with an app token has 100 times as many. */
export const USER_BYTES_PER_SECOND = 262_144;
/** A user may be charged for so many times the filters that one socket may watch. */
export const USER_FILTER_FACTOR = 4;
/** Results that one socket may wait for, besides the snapshots of all its subscriptions. */
export const MAX_LONG_RESULTS = 32;
/** Snapshots that one subscription may wait for. */
export const MAX_UNANSWERED = 8;
/** So many bad messages within `BAD_MESSAGE_WINDOW_MS` end a socket. */
export const MAX_BAD_MESSAGES = 20;
/**
 * Messages and control frames a second before `connect`, at most, with a burst of twice that. `connect` is
 * the only one that a client needs, and a client that has it wrong is told so as often as `MAX_BAD_MESSAGES`
 * says.
 */
export const STRANGER_PER_SECOND = 15;
export const BAD_MESSAGE_WINDOW_MS = 60_000;
/** A socket may exceed its message rate by as much again for so many seconds before it is ended. */
export const FLOOD_SECONDS = 6;
/**
 * So many things of a kind that are due at the same time are done before others are served; the rest comes
 * right after.
 */
export const MAX_DUE_PER_TURN = 1_000;
/**
 * A view rests for so many times what its last flush has cost, delivery included, so no view takes more than
 * a quarter of the processor. With `DIFF_INTERVAL_MS` of 0, which asks for every change at once, it may take
 * half.
 */
export const REST_PER_COST = 4;
export const REST_PER_COST_AT_ONCE = 1;
/** All views together that only one user watches take no more than a tenth. */
export const REST_PER_PRIVATE_COST = 10;
/** A shorter rest than this is not worth a timer: the view rests for `DIFF_INTERVAL_MS` only. */
export const LONGEST_FREE_FLUSH_MS = 10;
/** A view whose flush has failed is tried again after this. */
export const FAILED_FLUSH_REST_MS = 1_000;
