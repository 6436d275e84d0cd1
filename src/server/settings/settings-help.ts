import type { SettingHelp } from "../../cli/surroundings.ts";

/** The settings as `serve --help` lists them; a test holds that the README says the same, and that `readSettings` does it. */
export const SETTINGS: readonly SettingHelp[] = [
  { names: ["HOST"], standard: "127.0.0.1 without apps, else 0.0.0.0", text: "the address to listen on" },
  { names: ["PORT"], standard: "8080", text: "0: any free port" },
  { names: ["TRANSPORT"], standard: "auto", text: "uws, ws, or the first that loads" },
  {
    names: ["APPS", "APPS_FILE"],
    standard: "–",
    text: "JSON array of {id, secrets[], allowedOrigins?, userGrant?, requireExp?, shards?}, or a file with it. With neither: development mode, this machine only",
  },
  {
    names: ["REDIS_URL"],
    standard: "–",
    text: "redis://[user:password@]host[:port][/database], or rediss:// for TLS: nodes with the same Redis or Valkey are one gateway. Of a Redis Cluster one address or, with commas between, several",
  },
  {
    names: ["REDIS_SHARDS"],
    standard: "1",
    text: "how many logs the apps are spread over, on a Redis Cluster some for each master; the same on all nodes",
  },
  {
    names: ["REDIS_LOG_BYTES"],
    standard: "67108864",
    text: "how much memory of Redis each log takes at most; Redis needs twice as much",
  },
  {
    names: ["NODE_ID"],
    standard: "random",
    text: "the nodeId that clients are told; of two nodes with the same, the second does not start",
  },
  {
    names: ["NODE_LEASE_MS"],
    standard: "10000",
    text: "a node that is not heard of for so long is dead: its sessions wait to be resumed elsewhere",
  },
  { names: ["LOG_LEVEL"], standard: "info", text: "fatal, error, warn, info, debug, trace, silent" },
  {
    names: ["DIFF_INTERVAL_MS"],
    standard: "50",
    text: "at most one diff per view in this time; 0: every change at once",
  },
  { names: ["TYPING_TIMEOUT_MS"], standard: "10000", text: "typing ends after this unless it is repeated" },
  {
    names: ["RESUME_WINDOW_MS"],
    standard: "15000",
    text: "how long the sessions of a lost socket wait for it",
  },
  {
    names: ["HEARTBEAT_INTERVAL_MS"],
    standard: "16000",
    text: "a ping after this silence; after 1.5 times it the socket is dead",
  },
  { names: ["CONNECT_TIMEOUT_MS"], standard: "5000", text: "for the first message" },
  { names: ["MAX_CONNECTIONS"], standard: "open-file limit − 512", text: "WebSockets and event streams" },
  {
    names: ["MAX_CONNECTIONS_PER_IP"],
    standard: "1000",
    text: "of one IPv4 address or IPv6 /64, and at most half of an unset MAX_CONNECTIONS; 100 more may be plain TCP",
  },
  {
    names: ["MAX_CONNECTS_PER_SECOND"],
    standard: "1000",
    text: "burst twice that, the last quarter for addresses that connect seldom; over it 503 with Retry-After",
  },
  { names: ["MAX_MESSAGE_BYTES"], standard: "262144", text: "8192 before connect" },
  {
    names: ["MAX_BUFFERED_BYTES"],
    standard: "1048576",
    text: "what may wait for one reader, on a socket or an HTTP connection",
  },
  { names: ["MAX_SESSIONS_PER_SOCKET"], standard: "100", text: "100 times that with an app token" },
  { names: ["MAX_SUBSCRIPTIONS_PER_SOCKET"], standard: "100", text: "filters that one socket may watch" },
  {
    names: ["MAX_SESSIONS_PER_USER"],
    standard: "100",
    text: "sessions of one user over all sockets and nodes, lost ones included",
  },
  {
    names: ["MAX_SUBSCRIPTION_BYTES_PER_USER"],
    standard: "33554432",
    text: "what the subscriptions of one user may keep: filters, ids and results",
  },
  {
    names: ["MESSAGES_PER_SECOND"],
    standard: "50",
    text: "per socket, burst twice that; 4 times that for all sockets of a user, 100 times that with an app token",
  },
  {
    names: ["DRAIN_MS"],
    standard: "10000",
    text: "a node that goes down sends its clients away over this time",
  },
  {
    names: ["TERMINATION_GRACE_MS"],
    standard: "–",
    text: "how long after SIGTERM the process will be killed: a node that would need longer does not start",
  },
  { names: ["HTTP_REQUESTS_PER_SECOND"], standard: "1000", text: "per app, burst twice that" },
  {
    names: ["METRICS_TOKEN"],
    standard: "–",
    text: "bearer token for /metrics; without it only programs on this machine get them, asking for localhost or its address, and not through a proxy",
  },
  {
    names: ["TRUST_PROXY"],
    standard: "–",
    text: "addresses or networks of your proxies, with commas between: their X-Forwarded-For is believed, and no share of an address holds for them",
  },
];
