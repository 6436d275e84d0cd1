import { readFileSync } from "node:fs";
import proxyAddr from "proxy-addr";
import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { Id } from "../../protocol/ids.ts";
import { AppConfig, MAX_SHARDS } from "../auth/app.ts";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { type Timing, timingProblem, timingWarnings } from "./timing.ts";

/** A setting is wrong; the message is one line, says which and how to mend it, and holds no secret. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly transport: "auto" | "uws" | "ws";
  /** undefined: development mode. */
  readonly apps: readonly AppConfig[] | undefined;
  readonly nodeId: string | undefined;
  /** One Redis, or some nodes of one Redis Cluster; undefined: this node is the only one. */
  readonly redisUrls: readonly string[] | undefined;
  /** How many logs the sessions are spread over. */
  readonly redisShards: number;
  /** How much memory of Redis each of them takes at most. */
  readonly redisLogBytes: number;
  readonly nodeLeaseMs: number;
  readonly logLevel: LogLevel;
  readonly limits: GatewayConfig;
  /** TCP connections of every kind; less than the process may open, so that it is never out of files. */
  readonly maxTcpConnections: number;
  readonly metricsToken: string | undefined;
  /** Whether the peer of this address is a proxy whose X-Forwarded-For is to be believed. */
  readonly trustProxy: (address: string, hop: number) => boolean;
  /** Combinations that would hurt in production, to be logged. */
  readonly warnings: readonly string[];
}

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** What the settings need to know of the machine. */
export interface Machine {
  /** How many files this process may have open; undefined if it cannot be told. */
  readonly openFiles: number | undefined;
  readonly readFile: (path: string) => string;
}

const Apps = z.array(AppConfig).check(length(1, 10_000, "must have 1 to 10000 apps"));

const HOUR = 3_600_000;
const MIB = 1_048_576;
const ASSUMED_OPEN_FILES = 10_000;
const LEFT_FOR_OTHER_FILES = 512;
/** Some of these are for connections that are no WebSockets; so many are for what is no connection. */
const LEFT_FOR_NO_CONNECTION = 128;
/** The standard for the connections of one address is at least this. */
const LEAST_PER_IP = 32;

/** Reads the settings from environment variables. Throws SettingsError. */
export function readSettings(env: NodeJS.ProcessEnv, machine: Machine = thisMachine()): Settings {
  const read = (name: string) => env[name] || undefined;
  const integer = (name: string, standard: number, min: number, max: number) => {
    const text = read(name);
    if (text === undefined) return standard;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      throw new SettingsError(`${name} must be a whole number from ${min} to ${max}, but is ${quote(text)}`);
    }
    return value;
  };
  const choice = <T extends string>(name: string, standard: T, choices: readonly T[]) => {
    const text = read(name);
    if (text === undefined) return standard;
    const found = choices.find((each) => each === text);
    if (found === undefined) {
      throw new SettingsError(`${name} must be one of ${choices.join(", ")}, but is ${quote(text)}`);
    }
    return found;
  };

  const apps = readApps(read("APPS"), read("APPS_FILE"), machine.readFile);
  const host = read("HOST") ?? (apps === undefined ? "127.0.0.1" : "0.0.0.0");
  if (apps === undefined && !isLoopback(host)) {
    throw new SettingsError(
      `HOST is ${quote(host)} but there are no apps: development mode serves this machine only, so set APPS or APPS_FILE, or leave HOST unset`,
    );
  }
  const openFiles = machine.openFiles ?? ASSUMED_OPEN_FILES;
  const capacity = Math.max(64, openFiles - LEFT_FOR_OTHER_FILES);
  const maxConnections = integer("MAX_CONNECTIONS", capacity, 1, 10_000_000);
  // Where the machine lets few connect, one address does not take all places, unless somebody asks for it.
  const perIp = read("MAX_CONNECTIONS")
    ? 1_000
    : Math.min(1_000, Math.max(LEAST_PER_IP, Math.floor(capacity / 2)));
  const limits: GatewayConfig = {
    diffIntervalMs: integer("DIFF_INTERVAL_MS", 50, 0, 60_000),
    typingTimeoutMs: integer("TYPING_TIMEOUT_MS", 10_000, 10, HOUR),
    resumeWindowMs: integer("RESUME_WINDOW_MS", 15_000, 0, 24 * HOUR),
    heartbeatIntervalMs: integer("HEARTBEAT_INTERVAL_MS", 16_000, 10, HOUR),
    connectTimeoutMs: integer("CONNECT_TIMEOUT_MS", 5_000, 10, HOUR),
    maxConnections,
    maxConnectionsPerIp: integer("MAX_CONNECTIONS_PER_IP", perIp, 1, 10_000_000),
    maxConnectsPerSecond: integer("MAX_CONNECTS_PER_SECOND", 1_000, 1, 1_000_000),
    maxMessageBytes: integer("MAX_MESSAGE_BYTES", 262_144, 256, 16 * 1024 * 1024),
    maxBufferedBytes: integer("MAX_BUFFERED_BYTES", 1_048_576, 1_024, 256 * 1024 * 1024),
    maxSessionsPerSocket: integer("MAX_SESSIONS_PER_SOCKET", 100, 1, 100_000),
    maxSubscriptionsPerSocket: integer("MAX_SUBSCRIPTIONS_PER_SOCKET", 100, 1, 100_000),
    maxSessionsPerUser: integer("MAX_SESSIONS_PER_USER", 100, 1, 1_000_000),
    maxSubscriptionBytesPerUser: integer("MAX_SUBSCRIPTION_BYTES_PER_USER", 32 * MIB, MIB, 16_384 * MIB),
    messagesPerSecond: integer("MESSAGES_PER_SECOND", 50, 1, 1_000_000),
    drainMs: integer("DRAIN_MS", 10_000, 0, HOUR),
    httpRequestsPerSecond: integer("HTTP_REQUESTS_PER_SECOND", 1_000, 1, 10_000_000),
  };
  const redisUrls = readRedisUrls(read("REDIS_URL"));
  const redisShards = integer("REDIS_SHARDS", 1, 1, MAX_SHARDS);
  const redisLogBytes = integer("REDIS_LOG_BYTES", 64 * MIB, 4 * MIB, 4_096 * MIB);
  for (const { id, shards = 1 } of apps ?? []) {
    if (shards <= redisShards) continue;
    throw new SettingsError(
      `app ${quote(id)} has ${shards} shards, but REDIS_SHARDS is ${redisShards}: raise it, on all nodes`,
    );
  }
  const nodeLeaseMs = integer("NODE_LEASE_MS", 10_000, 100, HOUR);
  const timing: Timing = {
    limits,
    nodeLeaseMs: redisUrls && nodeLeaseMs,
    terminationGraceMs: read("TERMINATION_GRACE_MS")
      ? integer("TERMINATION_GRACE_MS", 0, 0, 24 * HOUR)
      : undefined,
  };
  const problem = timingProblem(timing);
  if (problem !== undefined) throw new SettingsError(problem);
  return {
    host,
    port: integer("PORT", 8080, 0, 65_535),
    transport: choice("TRANSPORT", "auto", ["auto", "uws", "ws"]),
    apps,
    nodeId: readNodeId(read("NODE_ID")),
    redisUrls,
    redisShards,
    redisLogBytes,
    nodeLeaseMs,
    logLevel: choice("LOG_LEVEL", "info", LOG_LEVELS),
    limits,
    maxTcpConnections: Math.max(64, openFiles - LEFT_FOR_NO_CONNECTION),
    metricsToken: read("METRICS_TOKEN"),
    trustProxy: readTrustProxy(read("TRUST_PROXY")),
    warnings: [
      ...warningsFor(limits, apps ?? [], machine),
      ...(redisUrls === undefined ? [] : redisWarningsFor(redisUrls, apps !== undefined)),
      ...timingWarnings(timing),
    ],
  };
}

function readApps(
  json: string | undefined,
  path: string | undefined,
  readFile: Machine["readFile"],
): readonly AppConfig[] | undefined {
  if (json !== undefined && path !== undefined) throw new SettingsError("set APPS or APPS_FILE, not both");
  const name = json !== undefined ? "APPS" : "APPS_FILE";
  let text = json;
  if (path !== undefined) {
    // Secrets, put into the wrong variable: they must not be repeated as the name of a file.
    if (/^\s*[[{]/.test(path))
      throw new SettingsError("APPS_FILE must be a path: JSON itself goes into APPS");
    try {
      text = readFile(path);
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      throw new SettingsError(`APPS_FILE ${quote(path)} cannot be read (${code})`);
    }
  }
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SettingsError(
      `${name} is not JSON: it must be an array such as [{"id":"my-app","secrets":["…"]}]`,
    );
  }
  const result = Apps.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const where = issue.path.length > 0 ? ` at ${issue.path.map(String).join(".")}` : "";
    throw new SettingsError(`${name} is not valid${where}: ${oneLine(issue.message)}`);
  }
  const ids = new Set<string>();
  for (const { id } of result.data) {
    if (ids.has(id)) throw new SettingsError(`${name} names the app ${quote(id)} twice`);
    ids.add(id);
  }
  return result.data;
}

function readNodeId(text: string | undefined): string | undefined {
  if (text === undefined || Id.safeParse(text).success) return text;
  throw new SettingsError("NODE_ID must have 1 to 255 characters, none of them a control character");
}

function readRedisUrls(text: string | undefined): readonly string[] | undefined {
  // A password may have commas too.
  const urls = text?.split(/,(?=\s*rediss?:\/\/)/).map((each) => each.trim());
  if (urls === undefined || urls.every(isRedisUrl)) return urls;
  // They may hold a password, so no part of them is repeated.
  throw new SettingsError(
    "REDIS_URL must be redis://[user:password@]host[:port][/database], or rediss:// for TLS, or several of them with commas between",
  );
}

function isRedisUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRedis = url !== undefined && /^rediss?:$/.test(url.protocol) && /^(\/\d{0,5})?$/.test(url.pathname);
  return isRedis && /^[^,]+$/.test(url.hostname);
}

function readTrustProxy(text: string | undefined): Settings["trustProxy"] {
  if (text === undefined) return () => false;
  try {
    return proxyAddr.compile(text.split(",").map((each) => each.trim()));
  } catch {
    throw new SettingsError(
      `TRUST_PROXY must be addresses or networks with commas between, such as 10.0.0.0/8, but is ${quote(text)}`,
    );
  }
}

const SAFE_SECRET_BYTES = 32;

function warningsFor(limits: GatewayConfig, apps: readonly AppConfig[], { openFiles }: Machine): string[] {
  const warnings: string[] = [];
  for (const { id, secrets } of apps) {
    if (secrets.some((secret) => Buffer.byteLength(secret) < SAFE_SECRET_BYTES)) {
      warnings.push(
        `a secret of app ${quote(id)} is shorter than ${SAFE_SECRET_BYTES} bytes and could be guessed`,
      );
    }
  }
  if (openFiles !== undefined && limits.maxConnections > openFiles - LEFT_FOR_OTHER_FILES) {
    warnings.push(
      `MAX_CONNECTIONS is ${limits.maxConnections}, but this process may open only ${openFiles} files: raise the limit (ulimit -n) or lower the setting`,
    );
  }
  if (limits.maxConnectionsPerIp >= limits.maxConnections) {
    warnings.push(
      `MAX_CONNECTIONS_PER_IP is ${limits.maxConnectionsPerIp} and MAX_CONNECTIONS ${limits.maxConnections}: one address can keep all others out`,
    );
  }
  if (limits.resumeWindowMs < 2_000) {
    warnings.push(
      "RESUME_WINDOW_MS is under 2 s: a page change or a short loss of network will show as leaving",
    );
  }
  if (limits.heartbeatIntervalMs > 50_000) {
    warnings.push(
      "HEARTBEAT_INTERVAL_MS is over 50 s: many proxies cut connections that are silent for 60 s",
    );
  }
  if (limits.typingTimeoutMs <= limits.diffIntervalMs) {
    warnings.push("TYPING_TIMEOUT_MS is not above DIFF_INTERVAL_MS: typing may end before anybody sees it");
  }
  if (limits.diffIntervalMs > 2_000) {
    warnings.push("DIFF_INTERVAL_MS is over 2 s: diffs, and snapshots of busy views, come that late");
  }
  if (limits.maxBufferedBytes < 65_536) {
    warnings.push("MAX_BUFFERED_BYTES is under 64 KiB: readers will lag at the first snapshot of some size");
  }
  return warnings;
}

function redisWarningsFor(urls: readonly string[], hasApps: boolean): string[] {
  const warnings: string[] = [];
  if (!hasApps) {
    warnings.push(
      "REDIS_URL without APPS: each node makes up a secret, and refuses the tokens of the others, so set the same APPS on all",
    );
  }
  const isOpen = urls.some((text) => {
    const { hostname, password } = new URL(text);
    return password === "" && !isLoopback(hostname.replace(/^\[|\]$/g, ""));
  });
  if (isOpen) {
    warnings.push(
      "REDIS_URL has no password: whoever reaches that Redis can read and change everybody's presence",
    );
  }
  return warnings;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** In quotes, on one line, with escapes for what a terminal or a log would act on. */
function quote(text: string): string {
  return JSON.stringify(shorten(text, 80)).replace(UNSAFE, escaped);
}

function oneLine(text: string): string {
  return shorten(text.replace(/\s+/g, " "), 200).replace(UNSAFE, escaped);
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function thisMachine(): Machine {
  return { openFiles: openFileLimit(), readFile: (path) => readFileSync(path, "utf8") };
}

function openFileLimit(): number | undefined {
  if (process.report === undefined) return undefined;
  // A report would look up the names of peers, which takes time that nobody wants to wait at start.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : undefined;
}
