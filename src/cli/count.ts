import type { Command } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { readFilter } from "./filter-options.ts";
import { addFilterQuestion, type FilterQuestionOptions } from "./filter-question.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { findTarget } from "./target.ts";

export function addCount(program: Command, dependencies: CliDependencies): void {
  const count = program
    .command("count")
    .summary("ask once how many are there")
    .description("Asks once how many users are there, and prints the number.");
  addFilterQuestion(
    count,
    `  $ npx presence-gateway count
  $ npx presence-gateway count --custom team=billing --status online idle`,
  ).action(async (options: FilterQuestionOptions, command: Command) => {
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
