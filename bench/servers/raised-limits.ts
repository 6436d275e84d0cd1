const HOUR_MS = "3600000";

/** Settings of a gateway under test: the load comes from one address, as fast as possible. */
export const RAISED_LIMITS: Readonly<Record<string, string>> = {
  HOST: "127.0.0.1",
  MAX_CONNECTIONS_PER_IP: "1000000",
  MAX_CONNECTS_PER_SECOND: "1000000",
  MESSAGES_PER_SECOND: "1000000",
  HTTP_REQUESTS_PER_SECOND: "1000000",
  CONNECT_TIMEOUT_MS: HOUR_MS,
  HEARTBEAT_INTERVAL_MS: HOUR_MS,
};

/** For scenarios that measure the limits: those that a gateway has by default. */
export const DEFAULT_LIMITS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(RAISED_LIMITS)
    .filter((name) => name !== "HOST")
    .map((name) => [name, ""]),
);
