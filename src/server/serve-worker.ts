import cluster from "node:cluster";
import { createAwakeClock } from "./clock.ts";
import { DEMO_APP_ID } from "./development.ts";
import { createLog } from "./observability/log.ts";
import { applyApps } from "./reloads.ts";
import { type Gateway, startGateway } from "./server.ts";
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
 * Runs a worker, until the first process has it end or ends itself. Why it cannot start is told to the first
 * process, which says it once. Never returns.
 */
export async function serveWorker(): Promise<never> {
  // The first process decides when a worker ends. A terminal, or a supervisor, may signal all processes.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  const channel = ipcChannel(process, CONTROL);
  const clock = createAwakeClock();
  // A gateway that has started goes on after a defect. Before that, nothing would serve here.
  let crashed: (error: unknown) => void = (error) => endWith(link, error);
  const link = new WorkerLink({
    send: (message) => channel.send(message),
    now: () => clock.now(),
    crashed: (error) => crashed(error),
  });
  process.on("uncaughtException", (error) => crashed(error));
  process.on("unhandledRejection", (error) => crashed(error));
  channel.onMessage((message) => link.receive(message as ToWorker));
  channel.send({ type: "hello" });
  try {
    const gateway = await start(link, await link.started);
    crashed = gateway.crashed;
    const failure = await gateway.failed;
    link.failed({ message: failure.message, concernsAll: true });
  } catch (error) {
    crashed(error);
  }
  // The first process has all workers end, or this one is about to end.
  return await new Promise<never>(() => {});
}

/** Ends this worker, once the first process is told why: it says so to the operator. */
function endWith(link: WorkerLink, error: unknown): void {
  const isPlain = error instanceof SettingsError || (error as NodeJS.ErrnoException)?.code !== undefined;
  const message = error instanceof Error ? error.message : String(error);
  const stack = isPlain ? undefined : ((error as Error)?.stack ?? message);
  link.failed({ message, concernsAll: false, stack });
  // Until the message is written.
  process.send!(["flush"], () => process.exit(1));
}

/** Starts the gateway of this worker. It does from then on what the first process says. */
async function start(
  link: WorkerLink,
  { number, appsText, demoSecret, nodeId, port }: StartMessage,
): Promise<Gateway> {
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
  const gateway = await startGateway(settings, apps, logger, {
    worker: link,
    logs: settings.redisUrls === undefined ? new LogClient(ipcChannel(process, LOG)) : undefined,
  });
  const stop = async () => {
    await gateway.stop();
    link.close();
    await log.end();
    process.exit(0);
  };
  link.handleWith({
    apps: (text) => applyApps(gateway, text, { path: appsFile?.path ?? "", redisShards }, logger),
    appsFailed: (reason) => gateway.reloadFailed(reason),
    stop: () => void stop(),
  });
  link.listening(gateway.port);
  const check = setInterval(() => {
    if (!gateway.node.isReady) return;
    clearInterval(check);
    link.ready();
  }, READY_CHECK_MS);
  return gateway;
}
