import type { AppConfig } from "../auth/app.ts";
import { isLoopback } from "../auth/is-loopback.ts";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { quote } from "./one-line.ts";
import { OTHER_OPEN_FILES } from "./settings-table.ts";

/** The settings that these warnings are about. */
export interface WarningsInput {
  readonly apps: readonly AppConfig[] | undefined;
  readonly limits: GatewayConfig;
  readonly redisUrls: readonly string[] | undefined;
  readonly openFiles: number | undefined;
  /** Each of them may open so many files. */
  readonly workers: number;
}

const SAFE_SECRET_BYTES = 32;
const SAFE_WINDOW_MS = 2_000;
const SAFE_HEARTBEAT_MS = 50_000;
const SAFE_DIFF_INTERVAL_MS = 2_000;
const SAFE_BUFFERED_BYTES = 65_536;

/**
 * Settings that work and would hurt in production, a line for each. `timingWarnings` has those about a
 * cluster.
 */
export function settingsWarnings(input: WarningsInput): string[] {
  const { apps, redisUrls } = input;
  return [
    ...appsWarnings(apps ?? []),
    ...limitWarnings(input),
    ...(redisUrls === undefined ? [] : redisWarnings(redisUrls, apps !== undefined)),
  ];
}

/** Those about apps alone. */
export function appsWarnings(apps: readonly AppConfig[]): string[] {
  return apps.flatMap((app) => [...secretWarnings(app), ...providerWarnings(app)]);
}

function secretWarnings({ id, secrets }: AppConfig): string[] {
  if (secrets.every((secret) => Buffer.byteLength(secret) >= SAFE_SECRET_BYTES)) return [];
  return [`a secret of app ${quote(id)} is shorter than ${SAFE_SECRET_BYTES} bytes and could be guessed`];
}

function providerWarnings({ id, keys = [], jwksUrl, issuer, audience, userIdClaim }: AppConfig): string[] {
  if (keys.length > 0 || jwksUrl !== undefined) return [];
  if (issuer === undefined && audience === undefined && userIdClaim === undefined) return [];
  return [`issuer, audience and userIdClaim of app ${quote(id)} mean nothing without keys or jwksUrl`];
}

function limitWarnings({ limits, openFiles, workers }: WarningsInput): string[] {
  const warnings: string[] = [];
  if (openFiles !== undefined && limits.maxConnections > workers * (openFiles - OTHER_OPEN_FILES)) {
    const process = workers === 1 ? "this process" : `each of ${workers} workers`;
    warnings.push(
      `MAX_CONNECTIONS is ${limits.maxConnections}, but ${process} may open only ${openFiles} files: ` +
        "raise the limit (ulimit -n) or lower the setting",
    );
  }
  if (limits.maxConnectionsPerIp >= limits.maxConnections) {
    warnings.push(
      `MAX_CONNECTIONS_PER_IP is ${limits.maxConnectionsPerIp} and MAX_CONNECTIONS ${limits.maxConnections}: ` +
        "one address can keep all others out",
    );
  }
  if (limits.resumeWindowMs < SAFE_WINDOW_MS) {
    warnings.push(
      "RESUME_WINDOW_MS is under 2 s: a page change or a short loss of network will show as leaving",
    );
  }
  if (limits.heartbeatIntervalMs > SAFE_HEARTBEAT_MS) {
    warnings.push(
      "HEARTBEAT_INTERVAL_MS is over 50 s: many proxies cut connections that are silent for 60 s",
    );
  }
  if (limits.typingTimeoutMs <= limits.diffIntervalMs) {
    warnings.push("TYPING_TIMEOUT_MS is not above DIFF_INTERVAL_MS: typing may end before anybody sees it");
  }
  if (limits.diffIntervalMs > SAFE_DIFF_INTERVAL_MS) {
    warnings.push("DIFF_INTERVAL_MS is over 2 s: diffs, and snapshots of busy views, come that late");
  }
  if (limits.maxBufferedBytes < SAFE_BUFFERED_BYTES) {
    warnings.push("MAX_BUFFERED_BYTES is under 64 KiB: readers will lag at the first snapshot of some size");
  }
  return warnings;
}

function redisWarnings(urls: readonly string[], hasApps: boolean): string[] {
  const warnings: string[] = [];
  if (!hasApps) {
    warnings.push(
      "REDIS_URL without APPS: each node makes up a secret, and refuses the tokens of the others, " +
        "so set the same APPS on all",
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
