#!/usr/bin/env node
import { createDemoApp, welcome, writeHandout } from "./development.ts";
import { createLog } from "./observability/log.ts";
import { startGateway } from "./server.ts";
import { readSettings, SettingsError } from "./settings.ts";

const USAGE = `Usage: presence-gateway [serve]

Starts a gateway. Settings come from environment variables; without any it runs in development mode.
See README.md for the settings and the protocol.
`;

async function serve(): Promise<void> {
  const settings = readSettings(process.env);
  const log = createLog(settings.logLevel);
  const demo = settings.apps === undefined ? createDemoApp() : undefined;
  const starting = startGateway(settings, settings.apps ?? [demo!], log.logger);
  let removeHandout = () => {};
  const stop = async () => {
    await (await starting).stop();
    removeHandout();
    await log.end();
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
    const handout = { url: `http://${host}:${gateway.port}`, appId: demo.id, secret: demo.secrets[0] };
    removeHandout = writeHandout(gateway.port, handout);
    process.stdout.write(`${await welcome(handout)}\n`);
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [command = "serve", ...rest] = args;
  if (command === "--help" || command === "-h" || command === "help") {
    process.stdout.write(USAGE);
  } else if (command === "serve" && rest.length === 0) {
    await serve();
  } else {
    throw new SettingsError(`there is no command ${JSON.stringify(args.join(" "))}, try --help`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  // What the operator can mend is one line; anything else is a defect and shows where it is.
  const isPlain = error instanceof SettingsError || (error as NodeJS.ErrnoException)?.code !== undefined;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`presence-gateway: ${isPlain ? message : (stack ?? message)}\n`);
  process.exit(1);
});
