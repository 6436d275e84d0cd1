import { CliError } from "../cli/cli-error.ts";
import { createDemoApp, welcome, writeDevCredentials } from "./development.ts";
import { createLog } from "./observability/log.ts";
import { startGateway } from "./server.ts";
import { readSettings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";

/** Runs a gateway as the environment says, and ends the process gently when it is signalled. Returns only by an error. */
export async function serve(): Promise<void> {
  try {
    await run();
  } catch (error) {
    // What the operator can mend is one line; anything else is a defect and shows where it is.
    const isPlain = error instanceof SettingsError || (error as NodeJS.ErrnoException)?.code !== undefined;
    throw isPlain ? new CliError((error as Error).message, 1) : error;
  }
}

async function run(): Promise<never> {
  const settings = readSettings(process.env);
  const log = createLog(settings.logLevel);
  const demo = settings.apps === undefined ? createDemoApp() : undefined;
  const starting = startGateway(settings, settings.apps ?? [demo!], log.logger);
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
  // From the first moment on: a signal while it starts is not lost.
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const gateway = await starting;
  // Every handler is guarded; should one have a hole, one request is lost and not the presence of everybody.
  process.on("uncaughtException", gateway.crashed);
  process.on("unhandledRejection", gateway.crashed);
  // Last, so that whoever waits for it may use it, and stop us in the proper way.
  if (demo !== undefined) {
    const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
    const credentials = { url: `http://${host}:${gateway.port}`, appId: demo.id, secret: demo.secrets[0] };
    removeCredentials = writeDevCredentials(gateway.port, credentials);
    process.stdout.write(`${await welcome(credentials)}\n`);
  }
  const failure = await gateway.failed;
  await end();
  throw failure;
}
