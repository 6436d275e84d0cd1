import { Command, CommanderError } from "commander";
import { addCheck } from "./check.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { addCompare } from "./compare.ts";
import { addCount } from "./count.ts";
import { addCrowd } from "./crowd.ts";
import { addErase } from "./erase.ts";
import { endWithReader } from "./finish.ts";
import { isServe } from "./is-serve.ts";
import { addLastSeen } from "./last-seen.ts";
import { addQuery } from "./query.ts";
import { addServe } from "./serve.ts";
import { addStatus } from "./status.ts";
import { addToken } from "./token.ts";
import { addWatch } from "./watch.ts";
import { addWebhook } from "./webhook.ts";
import { addWrite } from "./write.ts";

const AFTER = `
Without a command it serves. A first run:
  $ npx presence-gateway                      a gateway for this machine, with an app to play with
  $ npx presence-gateway crowd 200            in another terminal: simulated users
  $ npx presence-gateway watch                in a third one: who is there, live

Exit codes: 0 done (query, count: somebody matches; check: all are there; compare: alike), 1 the answer is
no, or serve could not start, 2 wrong usage, or no answer from the gateway.`;

/** The command line as a tree of commands. The code of a command is loaded only when it runs. */
export function createProgram(dependencies: CliDependencies): Command {
  const program = new Command("presence-gateway")
    .description("Who is online, looking and typing, answered exactly and pushed live.")
    .usage("[command] [options]")
    .version(dependencies.version, "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", AFTER)
    // Errors are thrown, and `run` shows them.
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addServe(program, dependencies);
  addToken(program, dependencies);
  addQuery(program, dependencies);
  addWatch(program, dependencies);
  addCount(program, dependencies);
  addCheck(program, dependencies);
  addLastSeen(program, dependencies);
  addStatus(program, dependencies);
  addWrite(program, dependencies);
  addErase(program, dependencies);
  addCrowd(program, dependencies);
  addWebhook(program);
  addCompare(program, dependencies);
  return program;
}

/** Runs a command. If it fails, prints one line and exits. */
export async function run(args: readonly string[], dependencies: CliDependencies): Promise<void> {
  // A gateway must survive the reader of its log. A command ends with its reader.
  if (!isServe(args)) endWithReader();
  try {
    await createProgram(dependencies).parseAsync(args.length === 0 ? ["serve"] : args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are "errors" of commander too. Implicit help has been printed already.
      if (error.exitCode !== 0 && error.code !== "commander.help") await complain(tidy(error.message));
      process.exit(error.exitCode === 0 ? 0 : 2);
    }
    if (error instanceof CliError) {
      await complain(error.message);
      process.exit(error.exitCode);
    }
    // An internal error. The stack shows its place.
    await complain((error instanceof Error && error.stack) || String(error), false);
    process.exit(isServe(args) ? 1 : 2);
  }
}

async function complain(message: string, isLine = true): Promise<void> {
  const { visible } = await import("./terminal-text.ts");
  process.stderr.write(`presence-gateway: ${isLine ? visible(message) : message}\n`);
}

/**
 * Shortens an error of commander to one line without values, because `--secrte=…` or an unknown command may
 * be a secret.
 */
function tidy(message: string): string {
  return message
    .replace(/^error: /, "")
    .replace(/\n+/g, " ")
    .replace(/^(unknown option '(?:--[^'=]*|-.)).*'/, "$1'")
    .replace(/'([^']*)'/g, (quoted, text) => (text.length > 32 ? `'${text.slice(0, 24)}…'` : quoted));
}
