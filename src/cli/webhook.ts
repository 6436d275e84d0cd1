import { lookup } from "node:dns/promises";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Command, InvalidArgumentError, Option } from "commander";
import { isLoopback } from "../server/auth/is-loopback.ts";
import { CliError } from "./cli-error.ts";
import { addCommandGroup } from "./command-group.ts";
import { finish } from "./finish.ts";

interface ListenOptions {
  readonly port: number;
  readonly host: string;
  readonly allowRemote?: true;
  readonly secret?: string;
  readonly resync?: true;
  readonly json?: true;
}

const DEFAULT_PORT = 8_081;

const AFTER = `
Without --secret it makes one, and prints the line for the app in APPS or APPS_FILE.
A secret on the command line can be seen by other users of the machine: rather set the environment variable.

Exit codes: 0 it was asked to end (Ctrl-C, SIGTERM), 2 it cannot listen.

Examples:
  $ npx presence-gateway webhook listen
  $ WEBHOOK_SECRET=whsec_… npx presence-gateway webhook listen --port 9000 --json | jq .data.users`;

export function addWebhook(program: Command): void {
  const webhook = addCommandGroup(program, "webhook", {
    summary: "receive webhooks, for development",
    description: "Receives what a gateway sends to a webhook, on this machine.",
    after: AFTER,
  });
  webhook
    .command("listen")
    .summary("receive webhooks and print them")
    .description(
      "Listens for the messages of webhooks, verifies their signatures, keeps a copy of who is there, and " +
        "prints what changes. If a message does not fit the copy, it asks for a snapshot.",
    )
    .addOption(new Option("--port <n>", "0: any free one").default(DEFAULT_PORT).argParser(readPort))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--allow-remote", "allow an address that other machines reach")
    .addOption(
      new Option("--secret <secret>", "whsec_ and base64, as the webhook has it").env("WEBHOOK_SECRET"),
    )
    .option("--resync", "ask for a snapshot once, in the answer to the first message")
    .option("--json", "print each message as a line of JSON, for programs")
    .addHelpText("after", AFTER)
    .action(listen);
}

async function listen({
  port,
  host,
  allowRemote,
  secret: given,
  resync,
  json,
}: ListenOptions): Promise<void> {
  const address = await addressOf(host);
  if (!isLoopback(address) && !allowRemote) {
    throw new CliError("--host must be an address of this machine only, unless --allow-remote is given");
  }
  const { makeWebhookSecret, webhookSecretProblem } = await import("../server/auth/webhook-secret.ts");
  const problem = given ? webhookSecretProblem(given) : undefined;
  if (problem !== undefined) throw new CliError(`--secret (WEBHOOK_SECRET) ${problem}`);
  const secret = given || makeWebhookSecret();
  const { visible, visibleJson } = await import("./terminal-text.ts");
  const { WebhookReceiver } = await import("./webhook/webhook-receiver.ts");
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  // With --json, standard output has messages only.
  const tell = (line: string) => void (json ? process.stderr : process.stdout).write(`${visible(line)}\n`);
  const say = (line: string) => tell(`${new Date().toTimeString().slice(0, 8)} ${line}`);
  const { server } = new WebhookReceiver({
    secret,
    resync: resync === true,
    say,
    ...(json && { onMessage: (message) => print(visibleJson(message)) }),
  });
  server.listen(port, address);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new CliError(
      `it cannot listen on ${host}, port ${port}: ${explain(error as NodeJS.ErrnoException)}`,
    );
  }
  const url = urlOf(server.address() as AddressInfo);
  tell(`receiving webhooks on ${url}`);
  if (!given) {
    tell("the app needs this webhook:");
    tell(`"webhooks": ${JSON.stringify([{ id: "dev", url, secrets: [secret] }])}`);
  }
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve());
  });
  server.close();
  server.closeAllConnections();
  await finish(0);
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
  return port;
}

async function addressOf(host: string): Promise<string> {
  // Without a name the answer is no address.
  const found = host === "" ? undefined : await lookup(host).catch(() => undefined);
  if (found === undefined) throw new CliError("--host must be an address, or a name that has one");
  return found.address;
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}/`;
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === "EADDRINUSE") return "the port is taken, choose another one with --port";
  if (code === "EACCES") return "the port needs more rights, choose another one with --port";
  return message;
}
