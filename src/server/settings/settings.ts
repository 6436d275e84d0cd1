import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { AppConfig } from "../auth/app.ts";
import { isLoopback } from "../auth/is-loopback.ts";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { openFileLimit } from "../internals/open-file-limit.ts";
import { quote } from "./one-line.ts";
import type { TrustProxy } from "./parse-trust-proxy.ts";
import { type HostInfo, readValues, type SettingsSource, type ValuesOf } from "./setting.ts";
import { SettingsError } from "./settings-error.ts";
import {
  APPS_FILE,
  LIMIT_SETTINGS,
  NODE_SETTINGS,
  PLATFORM_SETTINGS,
  tcpCapacity,
} from "./settings-table.ts";
import { appsWarnings, settingsWarnings } from "./settings-warnings.ts";
import { type Timing, timingProblem, timingWarnings } from "./timing.ts";

/** An id has 255 characters, and a worker's ends with a number such as `-64`. */
const MAX_WORKERS_NODE_ID = 252;

/** The settings of one node, checked. `settings-table.ts` says what each of them means. */
export interface Settings extends Omit<ValuesOf<typeof NODE_SETTINGS>, "host"> {
  /** The file that has the apps; undefined: they are not in a file. */
  readonly appsFile: AppsFileState | undefined;
  /** The text of that file. */
  readonly appsText: string | undefined;
  readonly host: string;
  readonly limits: GatewayConfig;
  /** TCP connections of every kind; less than the process may open, so that it is never out of files. */
  readonly maxTcpConnections: number;
  readonly metricsToken: string | undefined;
  readonly trustProxy: TrustProxy;
  /** Combinations that would hurt in production, to be logged. */
  readonly warnings: readonly string[];
}

/** A file with apps, and the digest of the text that was read. */
export interface AppsFileState {
  readonly path: string;
  readonly digest: string;
}

/** Apps that were read anew. */
export interface ReadApps {
  readonly apps: readonly AppConfig[];
  /** What would hurt in production, to be logged. */
  readonly warnings: readonly string[];
}

/**
 * Reads the apps from the text of their file, as at the start. @throws SettingsError.
 */
export function readAppsFile(path: string, fileText: string, redisShards: number): ReadApps {
  const apps = NODE_SETTINGS.apps.read({
    text: (name) => (name === APPS_FILE ? path : undefined),
    host: { openFiles: undefined, readFile: () => fileText },
  })!;
  requireShards(apps, redisShards);
  return { apps, warnings: appsWarnings(apps) };
}

export function digestOfText(text: string): string {
  return hash("sha256", text, "base64url");
}

/**
 * Reads the settings from environment variables, and checks that they fit each other. @throws SettingsError.
 */
export function readSettings(env: NodeJS.ProcessEnv, host: HostInfo = thisHost()): Settings {
  let appsFile: AppsFileState | undefined;
  let appsText: string | undefined;
  const readFile = (path: string): string => {
    const fileText = host.readFile(path);
    // No other setting is in a file.
    appsFile = { path, digest: digestOfText(fileText) };
    appsText = fileText;
    return fileText;
  };
  const source: SettingsSource = { text: (name) => env[name] || undefined, host: { ...host, readFile } };
  const node = readValues(NODE_SETTINGS, source);
  const limits: GatewayConfig = readValues(LIMIT_SETTINGS, source);
  const { terminationGraceMs, metricsToken, trustProxy } = readValues(PLATFORM_SETTINGS, source);
  const { apps, redisUrls, workers } = node;
  requireRoomForSuffix(node.nodeId, workers);
  requireShards(apps, node.redisShards);
  const timing: Timing = { limits, nodeLeaseMs: redisUrls && node.nodeLeaseMs, terminationGraceMs };
  const problem = timingProblem(timing);
  if (problem !== undefined) throw new SettingsError(problem);
  return {
    ...node,
    appsFile,
    appsText,
    host: listenHost(node.host, apps),
    limits,
    maxTcpConnections: tcpCapacity(source),
    metricsToken,
    trustProxy: trustProxy ?? (() => false),
    warnings: [
      ...settingsWarnings({ apps, limits, redisUrls, openFiles: host.openFiles, workers }),
      ...timingWarnings(timing),
    ],
  };
}

/** Without apps the secret of development mode is on the screen, so only this machine may connect. */
function listenHost(host: string | undefined, apps: readonly AppConfig[] | undefined): string {
  if (apps !== undefined) return host ?? "0.0.0.0";
  if (host === undefined || isLoopback(host)) return host ?? "127.0.0.1";
  throw new SettingsError(
    `HOST is ${quote(host)} but there are no apps: development mode serves this machine only, ` +
      "so set APPS or APPS_FILE, or leave HOST unset",
  );
}

function requireShards(apps: readonly AppConfig[] | undefined, redisShards: number): void {
  for (const { id, shards = 1 } of apps ?? []) {
    if (shards <= redisShards) continue;
    throw new SettingsError(
      `app ${quote(id)} has ${shards} shards, but REDIS_SHARDS is ${redisShards}: raise it, on all nodes`,
    );
  }
}

/** The id of a worker has a number at its end. */
function requireRoomForSuffix(nodeId: string | undefined, workers: number): void {
  if (workers === 1 || nodeId === undefined || nodeId.length <= MAX_WORKERS_NODE_ID) return;
  throw new SettingsError(
    `NODE_ID must have at most ${MAX_WORKERS_NODE_ID} characters where WORKERS is more than 1`,
  );
}

/** The machine on which this process runs. */
export function thisHost(): HostInfo {
  return {
    openFiles: openFileLimit(),
    cores: availableParallelism(),
    readFile: (path) => readFileSync(path, "utf8"),
  };
}
