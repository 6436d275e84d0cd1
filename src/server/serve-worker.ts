import cluster from "node:cluster";
import { createAwakeClock } from "./clock.ts";
import { DEMO_APP_ID } from "./development.ts";
import { createLog } from "./observability/log.ts";
import { applyApps } from "./reloads.ts";
import { startGateway } from "./server.ts";
import { readSettings, thisHost } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";
import { CONTROL, LOG } from "./workers/fork-worker.ts";
import { ipcChannel } from "./workers/ipc-channel.ts";
import { LogClient } from "./workers/log-client.ts";
import type { StartMessage, ToWorker } from "./workers/messages.ts";
import { WorkerLink } from "./workers/worker-link.ts";

/** How often a worker that starts looks whether it is ready. */
const READY_CHECK_MS = 20;

/**
 * Runs a worker, until the first process has it end or ends itself. What the operator can mend is told to the
 * first process, which says it once. Never returns.
 */
export async function serveWorker(): Promise<never> {
  // The first process decides when a worker ends. A terminal, or a supervisor, may signal all processes.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  const channel = ipcChannel(process, CONTROL);
  const clock = createAwakeClock();
  const link = new WorkerLink({
    send: (message) => channel.send(message),
    now: () => clock.now(),
    // A defect: the process goes on, as after every other one.
    crashed: (error) => process.emit("uncaughtException", error as Error),
  });
  channel.onMessage((message) => link.receive(message as ToWorker));
  channel.send({ type: "hello" });
  const start = await link.started;
  try {
    return await serve(link, start);
  } catch (error) {
    const isPlain = error instanceof SettingsError || (error as NodeJS.ErrnoException)?.code !== undefined;
    if (!isPlain) throw error;
    link.failed((error as Error).message, false);
    // Until the message is written.
    await new Promise((resolve) => process.send!(["flush"], resolve));
    process.exit(1);
  }
}

async function serve(link: WorkerLink, start: StartMessage): Promise<never> {
  const { number, appsText, demoSecret, nodeId, port } = start;
  const host = thisHost();
  // The last valid text: by now the file may have another one.
  const readFile = (path: string) => appsText ?? host.readFile(path);
  const read = readSettings(process.env, { ...host, readFile });
  // What is odd about the settings is said once.
  const warnings = number === 1 ? read.warnings : [];
  const settings = { ...read, nodeId, port, warnings };
  const { appsFile, redisShards } = settings;
  const apps = settings.apps ?? [{ id: DEMO_APP_ID, secrets: [demoSecret!] }];
  const log = createLog(settings.logLevel);
  const logger = log.logger.child({ worker: number });
  // Without this, `node:cluster` ends the process at once when the first process has ended.
  cluster.worker!.exitedAfterDisconnect = true;
  process.once("disconnect", async () => {
    logger.error("the first process has ended, and so does this worker");
    await log.end();
    process.exit(1);
  });
  const starting = startGateway(settings, apps, logger, {
    worker: link,
    logs: settings.redisUrls === undefined ? new LogClient(ipcChannel(process, LOG)) : undefined,
  });
  const stop = async () => {
    await (await starting).stop();
    link.close();
    await log.end();
    process.exit(0);
  };
  link.handleWith({
    apps: async (text) => {
      const gateway = await starting;
      applyApps(gateway, text, { path: appsFile?.path ?? "", redisShards }, logger);
    },
    appsFailed: async (reason) => (await starting).reloadFailed(reason),
    stop: () => void stop(),
  });
  const gateway = await starting;
  process.on("uncaughtException", gateway.crashed);
  process.on("unhandledRejection", gateway.crashed);
  link.listening(gateway.port);
  const check = setInterval(() => {
    if (!gateway.node.isReady) return;
    clearInterval(check);
    link.ready();
  }, READY_CHECK_MS);
  const failure = await gateway.failed;
  link.failed(failure.message, true);
  // The first process has all workers end.
  return await new Promise<never>(() => {});
}
