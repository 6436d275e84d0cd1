import type { Command } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { addFilterOptions, type FilterOptions, readFilter } from "./filter-options.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { addTargetOptions, findTarget } from "./target.ts";

interface CountOptions extends FilterOptions {
  readonly json?: true;
}

export function addCount(program: Command, dependencies: CliDependencies): void {
  const count = program
    .command("count")
    .summary("ask once how many are there")
    .description("Asks once how many users are there, and prints the number.");
  addFilterOptions(count).optionsGroup("Options:").option("--json", "print JSON, as the HTTP API answers");
  addTargetOptions(count)
    .addHelpText(
      "after",
      `
Exit codes: 0 somebody matches, 1 nobody does, 2 it could not be asked.

Examples:
  $ npx presence-gateway count
  $ npx presence-gateway count --custom team=billing --status online idle`,
    )
    .action(async (options: CountOptions, command: Command) => {
      const body = await readFilter(options);
      const target = await findTarget(command, dependencies);
      const answer = await callApi<{ readonly data: { readonly users: number } }>(target, {
        method: "POST",
        path: "presences/count",
        body,
      });
      const { users } = answer.data;
      const { visibleJson } = await import("./terminal-text.ts");
      process.stdout.write(`${options.json ? visibleJson(answer) : users}\n`);
      await finish(users > 0 ? 0 : 1);
    });
}
