import type { Logger } from "pino";
import { CliError } from "../cli/cli-error.ts";
import { createDemoApp, type DemoApp, welcome, writeDevCredentials } from "./development.ts";
import { createLog } from "./observability/log.ts";
import type { ReloadSignal } from "./reload-signal.ts";
import { Reloads } from "./reloads.ts";
import { type Primary, startPrimary } from "./serve-primary.ts";
import { serveWorker } from "./serve-worker.ts";
import { startGateway } from "./server.ts";
import { readSettings, type Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";
import { WORKER_VARIABLE } from "./workers/fork-worker.ts";

/** Whether this file is in the project itself, and not installed by npm. */
const IS_CHECKOUT = !import.meta.url.includes("/node_modules/");

/**
 * Runs a gateway with the settings of the environment, until a signal stops the process gently. Never
 * returns.
 *
 * @throws CliError for a failure that the operator can fix; anything else is a defect.
 */
export async function serve(reloadSignal: ReloadSignal): Promise<void> {
  try {
    await run(reloadSignal);
  } catch (error) {
    // An error that the operator can fix is one line. Anything else is a defect and shows its stack.
    const isPlain = error instanceof SettingsError || (error as NodeJS.ErrnoException)?.code !== undefined;
    throw isPlain ? new CliError((error as Error).message, 1) : error;
  }
}

async function run(reloadSignal: ReloadSignal): Promise<never> {
  if (process.env[WORKER_VARIABLE] !== undefined) return await serveWorker();
  const settings = readSettings(process.env);
  const log = createLog(settings.logLevel);
  const demo = settings.apps === undefined ? createDemoApp(process.cwd()) : undefined;
  const starting = start(settings, log.logger, demo?.app);
  let removeCredentials = () => {};
  const end = async () => {
    await (await starting).stop();
    removeCredentials();
    await log.end();
  };
  const stop = async () => {
    await end();
    process.exit(0);
  };
  // Before anything is awaited, so that a signal during the start is not lost.
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const { whole, failed, reload } = await starting;
  reloadSignal.handleWith(reload);
  const port = await Promise.race([whole, failed]);
  // Last, so that a program that waits for the file can use the gateway, and can stop it with a signal.
  if (demo !== undefined && typeof port === "number") {
    const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
    const { app, isKept } = demo;
    const credentials = { url: `http://${host}:${port}`, appId: app.id, secret: app.secrets[0] };
    removeCredentials = writeDevCredentials(port, credentials);
    process.stdout.write(`${await welcome(credentials, { isKept, isCheckout: IS_CHECKOUT })}\n`);
  }
  const failure = await failed;
  await end();
  throw failure;
}

/** Starts a gateway of one process, or the first process of several. */
async function start(settings: Settings, log: Logger, demo: DemoApp | undefined): Promise<Primary> {
  if (settings.workers > 1) return await startPrimary(settings, log, demo?.secrets[0]);
  const gateway = await startGateway(settings, settings.apps ?? [demo!], log);
  // Every handler catches its errors. If one does not, the process goes on, and only one request is lost.
  process.on("uncaughtException", gateway.crashed);
  process.on("unhandledRejection", gateway.crashed);
  const reloads = new Reloads(settings, log);
  reloads.start(gateway);
  return {
    whole: Promise.resolve(gateway.port),
    failed: gateway.failed,
    reload: () => reloads.request(),
    stop() {
      reloads.stop();
      return gateway.stop();
    },
  };
}
