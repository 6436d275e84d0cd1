import type { Command } from "commander";

/** Adds a command that has others below it. `after`: the end of its help. */
export function addCommandGroup(
  program: Command,
  name: string,
  texts: { readonly summary: string; readonly description: string; readonly after: string },
): Command {
  return program
    .command(name)
    .summary(texts.summary)
    .description(texts.description)
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", texts.after);
}
