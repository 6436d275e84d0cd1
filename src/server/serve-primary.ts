import cluster from "node:cluster";
import type { Logger } from "pino";
import { makeId } from "../core/ids.ts";
import type { AppConfig } from "./auth/app.ts";
import { type AppSummary, summarizeApp } from "./auth/compare-apps.ts";
import { type Clock, createAwakeClock } from "./clock.ts";
import { differenceOf } from "./node-apps.ts";
import { createCrashLog } from "./observability/log.ts";
import { Reloads } from "./reloads.ts";
import type { Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";
import { listenError, listenErrorCode } from "./transport/listen-error.ts";
import { forkWorker, LOG } from "./workers/fork-worker.ts";
import { ipcChannel } from "./workers/ipc-channel.ts";
import { LogServer } from "./workers/log-server.ts";
import { PrimaryMetrics } from "./workers/primary-metrics.ts";
import { PrimaryStats } from "./workers/primary-stats.ts";
import { WorkerPool } from "./workers/worker-pool.ts";

/** A worker that is silent for so long does not do its work: no turn of its event loop takes seconds. */
const MIN_SILENCE_MS = 10_000;

/** The first process of a gateway with workers: it serves no client. */
export interface Primary {
  /** Resolves with the port once all workers are ready. */
  readonly whole: Promise<number>;
  /** Resolves if this gateway cannot run. */
  readonly failed: Promise<SettingsError>;
  /** Reads the apps anew. */
  reload(): void;
  /** Has all workers shut down gently. Resolves when they have ended. The second time they end at once. */
  stop(): Promise<void>;
}

/**
 * Starts the workers. `demoSecret`: that of the app of development mode.
 *
 * @throws SettingsError if this process may start none; Error, with a code of the system, if nobody can
 * listen on the port.
 */
export async function startPrimary(
  settings: Settings,
  log: Logger,
  demoSecret: string | undefined,
): Promise<Primary> {
  const { host, port, workers, limits, nodeLeaseMs, nodeId } = settings;
  if (!cluster.isPrimary) {
    throw new SettingsError(
      `WORKERS is ${workers}, but another program has started this one by node:cluster: set it to 1, ` +
        "or start the gateway as a single process",
    );
  }
  // The workers share the port with whoever of this user asks for it.
  const code = await listenErrorCode(host, port);
  if (code !== undefined) throw listenError(host, port, code);
  const clock = createAwakeClock();
  const crashed = createCrashLog(log, () => clock.now());
  process.on("uncaughtException", crashed);
  process.on("unhandledRejection", crashed);
  const apps = new CurrentApps(settings);
  /** By the node id of each worker. */
  const killers = new Map<string, () => void>();
  const logs = settings.redisUrls === undefined ? createLogs(settings, log, clock, killers) : undefined;
  const metrics = new PrimaryMetrics(workers, () => pool);
  const stats = new PrimaryStats();
  const pool: WorkerPool = new WorkerPool({
    size: workers,
    port,
    silenceMs: Math.max(MIN_SILENCE_MS, nodeLeaseMs),
    clientsReturnMs: limits.resumeWindowMs,
    clock,
    log,
    crashed,
    spawn: (number, events) => {
      const id = nodeId === undefined ? makeId() : `${nodeId}-${number}`;
      const { child, process: worker } = forkWorker(number, id, events);
      killers.set(id, worker.kill);
      child.once("exit", () => killers.delete(id));
      logs?.serve(ipcChannel(child, LOG), id);
      return worker;
    },
    apps: () => ({ appsText: apps.text, demoSecret }),
    summarize: async (question, answers) =>
      question.about === "metrics" ? [await metrics.render(answers)] : stats.read(question.appId, answers),
    left: (number) => {
      metrics.left(number);
      stats.left(number);
    },
  });
  const reloads = new Reloads(settings, log);
  reloads.start({
    reload(configs, text) {
      apps.change(configs, text);
      pool.broadcast({ type: "apps", text });
    },
    // One worker says so, and counts it.
    reloadFailed(reason) {
      const isTold = pool.tellOne({ type: "apps-failed", reason });
      if (!isTold) log.error({ reason }, "cannot read the apps anew: they stay as they are");
    },
  });
  return {
    whole: pool.whole,
    failed: pool.failed.then((reason) => new SettingsError(reason)),
    reload: () => reloads.request(),
    async stop() {
      reloads.stop();
      pool.stop();
      await pool.stopped;
      logs?.close();
    },
  };
}

/** The log of all workers, in the memory of this process. */
function createLogs(
  { redisShards, redisLogBytes, limits }: Settings,
  log: Logger,
  clock: Clock,
  killers: ReadonlyMap<string, () => void>,
): LogServer {
  return new LogServer({
    shards: redisShards,
    maxLogBytes: redisLogBytes,
    maxProfiles: limits.maxRememberedUsers,
    wallNow: () => clock.wallNow(),
    badMessage: (node, problem) => log.warn({ node, problem }, "ignored what a worker has sent"),
    misbehaved: (node, problem) => {
      log.warn({ node, problem }, "a worker misbehaves: it is ended");
      killers.get(node)?.();
    },
  });
}

/** The apps that the workers serve, for workers that start later. */
class CurrentApps {
  #text: string | undefined;
  #running: ReadonlyMap<string, AppSummary>;

  constructor({ apps = [], appsText }: Settings) {
    this.#text = appsText;
    this.#running = summariesOf(apps);
  }

  /** The text of their file; undefined: they are not in a file. */
  get text(): string | undefined {
    return this.#text;
  }

  /** @throws SettingsError if an app differs in what cannot change while it runs. */
  change(configs: readonly AppConfig[], text: string): void {
    differenceOf(this.#running, configs);
    this.#running = summariesOf(configs);
    this.#text = text;
  }
}

function summariesOf(configs: readonly AppConfig[]): Map<string, AppSummary> {
  return new Map(configs.map((config) => [config.id, summarizeApp(config)]));
}
