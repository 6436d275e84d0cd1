import { Id } from "../../protocol/ids.ts";
import { MAX_SHARDS } from "../auth/app.ts";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { parseApps } from "./parse-apps.ts";
import { parseRedisUrls } from "./parse-redis-urls.ts";
import { parseTrustProxy } from "./parse-trust-proxy.ts";
import { choice, type IntegerSetting, integer, json, type SettingsSource, text } from "./setting.ts";
import { SettingsError } from "./settings-error.ts";

const HOUR = 3_600_000;
const MIB = 1_048_576;

const ASSUMED_OPEN_FILES = 10_000;
/** Files that are left for what is neither a WebSocket nor an event stream. */
export const OTHER_OPEN_FILES = 512;
/** Some of those are for other TCP connections; so many are left for what is no connection. */
const OPEN_FILES_BESIDE_TCP = 128;
const MIN_CONNECTIONS = 64;
/** The default for the connections of one address is at least this. */
const MIN_DEFAULT_PER_IP = 32;
const MAX_DEFAULT_PER_IP = 1_000;

const MAX_WORKERS = 64;
const MAX_CONNECTIONS = 10_000_000;

/** WebSockets and event streams for which the workers have files. Each of them has a limit of its own. */
function connectionCapacity(source: SettingsSource): number {
  const ofOne = Math.max(MIN_CONNECTIONS, (source.host.openFiles ?? ASSUMED_OPEN_FILES) - OTHER_OPEN_FILES);
  return Math.min(MAX_CONNECTIONS, WORKERS.read(source) * ofOne);
}

/** TCP connections of every kind for which this process has files. */
export function tcpCapacity({ host }: SettingsSource): number {
  return Math.max(MIN_CONNECTIONS, (host.openFiles ?? ASSUMED_OPEN_FILES) - OPEN_FILES_BESIDE_TCP);
}

/** Where few connections are possible, one address does not take all of them, unless a setting says so. */
function defaultPerIp(source: SettingsSource): number {
  if (source.text("MAX_CONNECTIONS") !== undefined) return MAX_DEFAULT_PER_IP;
  const half = Math.floor(connectionCapacity(source) / 2);
  return Math.min(MAX_DEFAULT_PER_IP, Math.max(MIN_DEFAULT_PER_IP, half));
}

const WORKERS = integer({
  env: "WORKERS",
  default: 1,
  min: 1,
  max: MAX_WORKERS,
  auto: ({ host }) => Math.min(MAX_WORKERS, Math.max(1, host.cores ?? 1)),
  help: "processes that are one gateway; `auto`: one per core",
});

/** The variable that names the file with the apps. */
export const APPS_FILE = "APPS_FILE";

/** What this node is: its address, its apps, its cluster. */
export const NODE_SETTINGS = {
  host: text({
    env: "HOST",
    defaultText: "`127.0.0.1` without apps, else `0.0.0.0`",
    parse: (host) => host,
    help: "the address to listen on",
  }),
  port: integer({ env: "PORT", default: 8080, min: 0, max: 65_535, help: "0: any free port" }),
  transport: choice({
    env: "TRANSPORT",
    default: "auto",
    choices: ["auto", "uws", "ws"],
    help: "`uws`, `ws`, or the first that loads",
  }),
  workers: WORKERS,
  apps: json({
    env: "APPS",
    fileEnv: APPS_FILE,
    shape: 'an array such as [{"id":"my-app","secrets":["…"]}]',
    parse: parseApps,
    help:
      "JSON array of `{id, secrets[], allowedOrigins?, userGrant?, requireExp?, keys?, jwksUrl?, issuer?, audience?, userIdClaim?, indexedCustom?, lastSeen?, webhooks?, shards?}`, " +
      "or a file with it. Neither: development mode, for this machine only",
  }),
  redisUrls: text({
    env: "REDIS_URL",
    parse: parseRedisUrls,
    help:
      "`redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; " +
      "for a Redis Cluster, several separated by commas",
  }),
  redisShards: integer({
    env: "REDIS_SHARDS",
    default: 1,
    min: 1,
    max: MAX_SHARDS,
    help: "number of logs in Redis; the same on all nodes",
  }),
  redisLogBytes: integer({
    env: "REDIS_LOG_BYTES",
    default: 64 * MIB,
    min: 4 * MIB,
    max: 4_096 * MIB,
    unit: "bytes",
    help: "memory of Redis for each log; Redis needs twice that",
  }),
  nodeId: text({
    env: "NODE_ID",
    defaultText: "random",
    parse: parseNodeId,
    help: "the `nodeId` that clients are told; unique among nodes",
  }),
  nodeLeaseMs: integer({
    env: "NODE_LEASE_MS",
    default: 10_000,
    min: 100,
    max: HOUR,
    unit: "milliseconds",
    help: "a node that is silent for so long counts as dead",
  }),
  logLevel: choice({
    env: "LOG_LEVEL",
    default: "info",
    choices: ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
    help: "`fatal`, `error`, `warn`, `info`, `debug`, `trace`, `silent`",
  }),
} as const;

/** What clients may do, and when the gateway acts. */
export const LIMIT_SETTINGS = {
  diffIntervalMs: integer({
    env: "DIFF_INTERVAL_MS",
    default: 50,
    min: 0,
    max: 60_000,
    unit: "milliseconds",
    help: "at most one diff per view in this time; 0: every change at once",
  }),
  typingTimeoutMs: integer({
    env: "TYPING_TIMEOUT_MS",
    default: 10_000,
    min: 10,
    max: HOUR,
    unit: "milliseconds",
    help: "typing ends after this unless repeated",
  }),
  resumeWindowMs: integer({
    env: "RESUME_WINDOW_MS",
    default: 15_000,
    min: 0,
    max: 24 * HOUR,
    unit: "milliseconds",
    help: "how long the sessions of a lost socket wait for it",
  }),
  heartbeatIntervalMs: integer({
    env: "HEARTBEAT_INTERVAL_MS",
    default: 16_000,
    min: 10,
    max: HOUR,
    unit: "milliseconds",
    help: "a ping after this silence; after 1.5 times it the socket is dead",
  }),
  connectTimeoutMs: integer({
    env: "CONNECT_TIMEOUT_MS",
    default: 5_000,
    min: 10,
    max: HOUR,
    unit: "milliseconds",
    help: "time until `connect`",
  }),
  maxConnections: integer({
    env: "MAX_CONNECTIONS",
    default: { text: `open-file limit − ${OTHER_OPEN_FILES}`, of: connectionCapacity },
    min: 1,
    max: MAX_CONNECTIONS,
    help: "WebSockets and event streams",
  }),
  maxConnectionsPerIp: integer({
    env: "MAX_CONNECTIONS_PER_IP",
    default: { text: `\`${MAX_DEFAULT_PER_IP}\``, of: defaultPerIp },
    min: 1,
    max: 10_000_000,
    help: "per IPv4 address or IPv6 /64, and per user; at most half of an unset `MAX_CONNECTIONS`",
  }),
  maxConnectsPerSecond: integer({
    env: "MAX_CONNECTS_PER_SECOND",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    help: "burst twice that; over it 503 with `Retry-After`",
  }),
  maxMessageBytes: integer({
    env: "MAX_MESSAGE_BYTES",
    default: 256 * 1024,
    min: 256,
    max: 16 * MIB,
    unit: "bytes",
    help: "8192 before `connect`",
  }),
  maxBufferedBytes: integer({
    env: "MAX_BUFFERED_BYTES",
    default: MIB,
    min: 1_024,
    max: 256 * MIB,
    unit: "bytes",
    help: "what may wait for one reader",
  }),
  maxSessionsPerSocket: integer({
    env: "MAX_SESSIONS_PER_SOCKET",
    default: 100,
    min: 1,
    max: 100_000,
    help: "100 times that with an app token",
  }),
  maxSubscriptionsPerSocket: integer({
    env: "MAX_SUBSCRIPTIONS_PER_SOCKET",
    default: 100,
    min: 1,
    max: 100_000,
    help: "filters that one socket may watch",
  }),
  maxSessionsPerUser: integer({
    env: "MAX_SESSIONS_PER_USER",
    default: 100,
    min: 1,
    max: 1_000_000,
    help: "over all sockets and nodes, lost ones included",
  }),
  maxSubscriptionBytesPerUser: integer({
    env: "MAX_SUBSCRIPTION_BYTES_PER_USER",
    default: 32 * MIB,
    min: MIB,
    max: 16_384 * MIB,
    unit: "bytes",
    help: "memory for the subscriptions of one user",
  }),
  messagesPerSecond: integer({
    env: "MESSAGES_PER_SECOND",
    default: 50,
    min: 1,
    max: 1_000_000,
    help: "per socket, burst twice that; per user 4 times, with an app token 100 times that",
  }),
  httpRequestsPerSecond: integer({
    env: "HTTP_REQUESTS_PER_SECOND",
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: "per app, burst twice that",
  }),
  userRetentionDays: integer({
    env: "USER_RETENTION_DAYS",
    default: 30,
    min: 0,
    max: 3_650,
    unit: "days",
    help: "how long the status and the last-seen time of a user without a session are kept",
  }),
  maxRememberedUsers: integer({
    env: "MAX_REMEMBERED_USERS",
    default: 100_000,
    min: 0,
    max: 10_000_000,
    help: "how many such users, over all apps",
  }),
  drainMs: integer({
    env: "DRAIN_MS",
    default: 10_000,
    min: 0,
    max: HOUR,
    unit: "milliseconds",
    help: "a node that shuts down sends its clients away over this time",
  }),
} as const satisfies Readonly<Record<keyof GatewayConfig, IntegerSetting>>;

/** What this node runs beside: its supervisor, its monitoring, its proxies. */
export const PLATFORM_SETTINGS = {
  terminationGraceMs: integer({
    env: "TERMINATION_GRACE_MS",
    default: undefined,
    min: 0,
    max: 24 * HOUR,
    unit: "milliseconds",
    help: "time from SIGTERM to the kill; a node that needs longer does not start",
  }),
  metricsToken: text({
    env: "METRICS_TOKEN",
    parse: parseMetricsToken,
    help: "bearer token for `/metrics`; unset: only for programs on this machine",
  }),
  trustProxy: text({
    env: "TRUST_PROXY",
    parse: parseTrustProxy,
    help: "addresses or networks of your proxies, separated by commas",
  }),
} as const;

/** Every setting by its field, in the order in which they are documented. */
export const SETTINGS = { ...NODE_SETTINGS, ...LIMIT_SETTINGS, ...PLATFORM_SETTINGS } as const;

/** The error does not repeat the token. */
function parseMetricsToken(token: string, env: string): string {
  if (/^(?! )\P{Cc}+(?<! )$/u.test(token)) return token;
  throw new SettingsError(
    `${env} must not begin or end with a space, or have a line end or another control character: ` +
      "no client can send that",
  );
}

function parseNodeId(id: string, env: string): string {
  if (Id.safeParse(id).success) return id;
  throw new SettingsError(`${env} must have 1 to 255 characters, none of them a control character`);
}
