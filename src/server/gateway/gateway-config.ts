/**
 * The settings that the gateway reads. Times are in milliseconds. See settings-table.ts for names and
 * defaults.
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
  readonly userRetentionDays: number;
  readonly maxRememberedUsers: number;
}

/** The most bytes of a message before `connect`. */
export const MAX_BYTES_BEFORE_CONNECT = 8_192;
/** A socket or stream that takes none of its waiting bytes for this long is ended. */
export const STALL_MS = 10_000;
/** A client that does not answer a close frame is dropped after this time. */
export const CLOSE_TIMEOUT_MS = 2_000;
/**
 * A socket with an app token serves a whole back end, and may have this many times the sessions and messages
 * of a user's socket.
 */
export const APP_TOKEN_FACTOR = 100;
/** After a quiet time, as much may be sent at once as is allowed in this time. */
export const BURST_SECONDS = 2;
/** All sockets of a user together may send this many times the messages of one socket. */
export const USER_RATE_FACTOR = 4;
/**
 * Bytes a second that all sockets of a user together may send. A socket with an app token may send
 * `APP_TOKEN_FACTOR` times as many.
 */
export const USER_BYTES_PER_SECOND = 262_144;
/** A user may be charged for this many times the filters that one socket may subscribe to. */
export const USER_FILTER_FACTOR = 4;
/** Query results that one socket may wait for, besides the snapshots of all its subscriptions. */
export const MAX_LONG_RESULTS = 32;
/** Snapshots that one subscription may wait for. */
export const MAX_UNANSWERED = 8;
/** This many bad messages within `BAD_MESSAGE_WINDOW_MS` end a socket. */
export const MAX_BAD_MESSAGES = 20;
/**
 * Messages and control frames a second before `connect`, with a burst of twice that. A client needs only
 * `connect`, and one that gets it wrong is told so up to `MAX_BAD_MESSAGES` times.
 */
export const NEWCOMER_PER_SECOND = 15;
export const BAD_MESSAGE_WINDOW_MS = 60_000;
/** A socket is ended after it has exceeded its message rate by as much again for this many seconds. */
export const FLOOD_SECONDS = 6;
/**
 * The most things of one kind that are handled in one turn when they are due at the same time. The rest
 * follows right after.
 */
export const MAX_DUE_PER_TURN = 1_000;
/**
 * So many sessions at least, and three times as many at most, end at once with their sockets in one turn of
 * the event loop. The rest follows right after.
 */
export const ENDS_PER_TURN = Math.floor(MAX_DUE_PER_TURN / 3);
/**
 * A view rests for this many times the cost of its last flush, delivery included, so no view takes more than
 * a quarter of the processor. With `DIFF_INTERVAL_MS` of 0, which asks for every change at once, it may take
 * half.
 */
export const REST_PER_COST = 4;
export const REST_PER_COST_AT_ONCE = 1;
/** All views together that only one user subscribes to take no more than a tenth of the processor. */
export const REST_PER_PRIVATE_COST = 10;
/**
 * A rest that would be shorter than this is not worth a timer: the view rests for `DIFF_INTERVAL_MS` only. If
 * that is 0, every rest of a view with several users counts that a timer can measure.
 */
export const LONGEST_FREE_FLUSH_MS = 10;
export const LONGEST_FREE_FLUSH_AT_ONCE_MS = 1;
/** A view whose flush has failed is flushed again after this time. */
export const FAILED_FLUSH_REST_MS = 1_000;
