import { Command, CommanderError } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { addCrowd } from "./crowd.ts";
import { endWithReader } from "./finish.ts";
import { addQuery } from "./query.ts";
import { addServe } from "./serve.ts";
import { addToken } from "./token.ts";
import { addWatch } from "./watch.ts";

const AFTER = `
Without a command it serves. A first run:
  $ npx presence-gateway                      a gateway for this machine, with an app to play with
  $ npx presence-gateway crowd 200            in another terminal: simulated users
  $ npx presence-gateway watch                in a third one: who is there, live

Exit codes: 0 done (query: somebody matches), 1 query: nobody matches, or serve: could not start,
2 wrong usage, or no answer from the gateway.`;

/** The command line, as a tree of commands. What they do is loaded when it is asked for. */
export function createProgram(dependencies: CliDependencies): Command {
  const program = new Command("presence-gateway")
    .description("Who is online, looking and typing, answered exactly and pushed live.")
    .usage("[command] [options]")
    .version(dependencies.version, "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", AFTER)
    // Errors are thrown, and shown in one place.
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addServe(program, dependencies);
  addToken(program, dependencies);
  addQuery(program, dependencies);
  addWatch(program, dependencies);
  addCrowd(program, dependencies);
  return program;
}

/** Runs what these arguments ask for, and ends the process with one line if it can't be done. */
export async function run(args: readonly string[], dependencies: CliDependencies): Promise<void> {
  const isServe = (args[0] ?? "serve") === "serve";
  // A gateway outlives whoever reads its log; a command is there for its reader.
  if (!isServe) endWithReader();
  try {
    await createProgram(dependencies).parseAsync(args.length === 0 ? ["serve"] : args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are "errors" too, and help that was not asked for has been printed.
      if (error.exitCode !== 0 && error.code !== "commander.help") await complain(tidy(error.message));
      process.exit(error.exitCode === 0 ? 0 : 2);
    }
    if (error instanceof CliError) {
      await complain(error.message);
      process.exit(error.exitCode);
    }
    // Neither the caller's mistake nor the gateway's answer: a defect, which shows where it is.
    await complain((error instanceof Error && error.stack) || String(error), false);
    process.exit(isServe ? 1 : 2);
  }
}

async function complain(message: string, isLine = true): Promise<void> {
  const { visible } = await import("./terminal-text.ts");
  process.stderr.write(`presence-gateway: ${isLine ? visible(message) : message}\n`);
}

/**
 * One line, which repeats no value: `--secrte=…` is a secret too, and so may be what was taken for a command.
 */
function tidy(message: string): string {
  return message
    .replace(/^error: /, "")
    .replace(/\n+/g, " ")
    .replace(/^(unknown option '(?:--[^'=]*|-.)).*'/, "$1'")
    .replace(/'([^']*)'/g, (quoted, text) => (text.length > 32 ? `'${text.slice(0, 24)}…'` : quoted));
}
