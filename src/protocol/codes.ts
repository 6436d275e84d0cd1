/**
 * What a client does after its socket was closed: reconnect by itself, reconnect with another token, or stop.
 */
export type Retry = "backoff" | "new-token" | "never";

interface CloseCode {
  readonly code: number;
  /** At most 123 bytes of ASCII, sent in the close frame. */
  readonly reason: string;
  readonly retry: Retry;
}

/**
 * Every close code that the gateway chooses, and what a client does after it. The WebSocket libraries add
 * 1002, 1007 and 1008.
 */
export const CLOSE = {
  binary: { code: 1003, reason: "binary frames are not supported, send JSON text", retry: "backoff" },
  tooLarge: { code: 1009, reason: "message too large", retry: "backoff" },
  crashed: { code: 1011, reason: "internal error, connect again", retry: "backoff" },
  /** A client comes back no earlier than `draining` said. */
  draining: { code: 1012, reason: "this node is going down, connect again", retry: "backoff" },
  overload: { code: 1013, reason: "no room for this connection now, connect again later", retry: "backoff" },
  slowReader: { code: 1013, reason: "too slow a reader, connect again", retry: "backoff" },
  tokenUnverifiable: {
    code: 1013,
    reason: "the token cannot be verified now, connect again later",
    retry: "backoff",
  },
  badMessages: { code: 4400, reason: "not JSON, or too many bad messages", retry: "never" },
  unauthenticated: { code: 4401, reason: "no valid token", retry: "new-token" },
  connectTimeout: { code: 4408, reason: "no connect message in time", retry: "backoff" },
  tokenExpired: { code: 4410, reason: "token expired", retry: "new-token" },
  flooding: { code: 4429, reason: "too many messages", retry: "backoff" },
} as const satisfies Record<string, CloseCode>;

export type CloseReason = keyof typeof CLOSE;

type Closes = (typeof CLOSE)[CloseReason];

/**
 * The part of the table that a client needs. The compiler checks that it has every code that asks for
 * something other than `backoff`.
 */
const RETRY: { readonly [Row in Exclude<Closes, { retry: "backoff" }> as Row["code"]]: Row["retry"] } = {
  4400: "never",
  4401: "new-token",
  4410: "new-token",
};

/** What a client does after a close code. Codes that are not in the table, such as 1006, mean `backoff`. */
export function retryPolicy(closeCode: number): Retry {
  return (RETRY as Readonly<Record<number, Retry>>)[closeCode] ?? "backoff";
}

/** Codes of `error` messages. */
export const ERROR_CODES = [
  "BAD_MESSAGE",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "LIMIT_REACHED",
  "RATE_LIMITED",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * Why a session ended, as its socket is told: its client closed it, another socket took it over, or a back
 * end ended it.
 */
export type CloseCause = "closed" | "replaced" | "kicked";

/** Why a session ended. */
export type EndCause = CloseCause | "timeout" | "node-lost";

/** Why a user left a result: one of their sessions ended, or none of them matches any more (`changed`). */
export type LeaveCause = EndCause | "changed";
