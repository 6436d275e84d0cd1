import type { Command } from "commander";
import { addFilterOptions, type FilterOptions } from "./filter-options.ts";
import { addTargetOptions } from "./target.ts";

export interface FilterQuestionOptions extends FilterOptions {
  readonly json?: true;
}

/** Adds what commands have that ask once about a filter. `examples`: lines of a shell. */
export function addFilterQuestion(command: Command, examples: string): Command {
  addFilterOptions(command).optionsGroup("Options:").option("--json", "print JSON, as the HTTP API answers");
  return addTargetOptions(command).addHelpText(
    "after",
    `
Exit codes: 0 somebody matches, 1 nobody does, 2 it could not be asked.

Examples:
${examples}`,
  );
}
