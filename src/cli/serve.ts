import type { Command } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";

export function addServe(program: Command, { serve, settings }: CliDependencies): void {
  const rows = settings.map(({ names, default: fallback, text }) => {
    const name = names.join(", ");
    return `  ${name.padEnd(30)} ${text}${fallback === undefined ? "" : ` (${fallback})`}`;
  });
  program
    .command("serve")
    .summary("start a gateway (what is done without a command)")
    .description(
      "Starts a gateway. Settings come from environment variables; without any it runs in development " +
        "mode, for this machine only. It ends gently on SIGTERM and SIGINT.",
    )
    .usage("")
    .addHelpText(
      "after",
      `
Environment variables (in brackets: the default):
${rows.join("\n")}

Exit codes: 0 it was asked to end, 1 it could not start.

Examples:
  $ npx presence-gateway serve
  $ APPS='[{"id":"my-app","secrets":["use-32-random-characters-or-more"]}]' npx presence-gateway serve`,
    )
    // Accepted by commander and refused below, with a message about environment variables.
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options, command: Command) => {
      if (command.args.length > 0) {
        throw new CliError(
          "serve has no command-line options or arguments: set environment variables, " +
            "see presence-gateway serve --help",
          1,
        );
      }
      await serve();
    });
}
