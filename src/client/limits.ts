/** The times and bounds of the client, in one place. Times are in milliseconds. */

// The connection

/** How long a token may take, and after it the message `connected`. */
export const TOKEN_TIMEOUT_MS = 30_000;
export const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that is alive answers a ping in this time. */
export const PONG_TIMEOUT_MS = 5_000;
/** A timer that fires so late says that this process slept, and nothing about the connection. */
export const SLEPT_MS = 1_000;
/** So many pings get no answer before a connection is lost whose timers are all that late. */
export const MAX_PINGS = 3;
/** The app's token function is asked for a new token at most once in this time. */
export const REFRESH_INTERVAL_MS = 1_000;
/** How long `close()` waits for the gateway's close frame. */
export const CLOSE_TIMEOUT_MS = 2_000;
/** Bounds for the times that a gateway sets. */
export const MIN_HEARTBEAT_MS = 100;
export const MAX_WAIT_MS = 60_000;
/** Bytes that may wait in the socket. While there are more, updates are held back and merged. */
export const MAX_BUFFERED = 65_536;
/** Messages are so far apart on average: the gateway's default is 50 a second for the socket of a user. */
export const MESSAGE_MS = 25;
/**
 * What this time has room for may go out at once. A gateway that refused a message lets a whole burst through
 * again after it.
 */
export const BURST_MS = 2_000;
/** The socket of an app token has so many times the messages. */
export const APP_TOKEN_FACTOR = 100;

// Refused requests

/** A request that may be granted later is made again after this time, then after twice as long, and so on. */
export const RETRY_DELAY_MS = 2_000;
/** Fresh tokens may be refused for so long, as by a gateway whose clock is behind, until that is final. */
export const REFUSED_MS = 30_000;

// The next attempt

/** The longest wait before the first attempt, and before any. */
export const FIRST_WAIT_MS = 1_000;
export const LONGEST_WAIT_MS = 30_000;
/** A connection that lasted longer was a good one: the next attempt comes soon again. */
export const GOOD_AFTER_MS = 5_000;
/**
 * One that lasted longer was of use: even if it is cut again and again, the client is back in time for its
 * sessions.
 */
export const USEFUL_AFTER_MS = 400;
export const USEFUL_ATTEMPTS = 2;

// Sessions

/**
 * `isTyping` is sent again at this interval, and ends this long after the last key. The gateway forgets it
 * after 10 s.
 */
export const TYPING_REPEAT_MS = 4_000;
export const TYPING_IDLE_MS = 5_000;
/** Updates are at least so far apart, each with the latest state. */
export const UPDATE_INTERVAL_MS = 50;
/**
 * After another socket took a session over, a new one is opened, late enough that two pages cannot fight
 * fast.
 */
export const REPLACED_MS = 1_000;
/**
 * Deleted keys are sent again on the next connection. If there are more of them than this, all keys are
 * cleared and the rest is sent anew.
 */
export const MAX_DELETED_KEYS = 64;

/** While the focus may be in a frame of the page, how often it is looked at. */
export const FOCUS_CHECK_MS = 1_000;

/** Nobody has touched the page for so long: the session is idle. */
export const IDLE_AFTER_MS = 300_000;

// Subscriptions and queries

/** As many as a gateway takes on one socket unless it is set otherwise. */
export const USUAL_SUBSCRIPTIONS = 100;

/** A page that takes one list down and puts another up has the same filter again a moment later. */
export const LINGER_MS = 100;
/** How long a query may take, reconnects included. */
export const QUERY_TIMEOUT_MS = 30_000;
/** The longest that a timer runs: 24 days. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** The users that one filter may bring, unless the app sets another bound. */
export const MAX_USERS = 250_000;
/** What a user may take on average, in characters of JSON. */
export const MEAN_WEIGHT = 1_024;
/** As many means besides, for a few users who say as much as the gateway allows. */
export const SPARE_MEANS = 16_384;
