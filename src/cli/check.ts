import type { Command } from "commander";
import type { VisibleStatus } from "../protocol/wire.ts";
import { readIds } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { addFilterOptions, type FilterOptions, readFilter } from "./filter-options.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { addTargetOptions, findTarget } from "./target.ts";

interface CheckOptions extends FilterOptions {
  readonly json?: true;
}

interface Checked {
  readonly data: {
    readonly present: readonly string[];
    readonly absent: readonly string[];
    /** Of the absent users who have a session. */
    readonly statuses: Readonly<Record<string, VisibleStatus>>;
  };
  readonly degraded?: boolean;
}

export function addCheck(program: Command, dependencies: CliDependencies): void {
  const check = program
    .command("check")
    .summary("ask which users to notify")
    .description(
      "Asks which of these users are there, and what the status of the others is, as far as they have a " +
        "session. So a push can be spared those who look, and those who do not want to be disturbed.",
    )
    .argument("<userId...>", "ids of 1 to 10,000 users", readIds);
  addFilterOptions(check, true)
    .optionsGroup("Options:")
    .option("--json", "print JSON, as the HTTP API answers");
  addTargetOptions(check)
    .addHelpText(
      "after",
      `
Exit codes: 0 all of them are there, 1 somebody is not, 2 it could not be asked.

Examples:
  $ npx presence-gateway check alice bob --conversation c1 --focused
  $ npx presence-gateway check alice --background >/dev/null || echo "send alice a push message"`,
    )
    .action(async (userIds: readonly string[], options: CheckOptions, command: Command) => {
      const filter = await readFilter(options);
      const target = await findTarget(command, dependencies);
      const answer = await callApi<Checked>(target, {
        method: "POST",
        path: "presences/check",
        body: { userIds, filter },
      });
      const { data, degraded } = answer;
      process.stdout.write(await render(answer, options));
      if (degraded) process.stderr.write("presence-gateway: this node may not know everyone now\n");
      await finish(data.absent.length === 0 ? 0 : 1);
    });
}

async function render(answer: Checked, { json }: CheckOptions): Promise<string> {
  if (json) {
    const { visibleJson } = await import("./terminal-text.ts");
    return `${visibleJson(answer)}\n`;
  }
  const { renderTable } = await import("./table.ts");
  const { present, absent, statuses } = answer.data;
  const rows = [
    ...present.map((id) => [id, "yes", "-"]),
    ...absent.map((id) => [id, "no", Object.hasOwn(statuses, id) ? statuses[id]! : "-"]),
  ];
  return `${renderTable(["USER", "PRESENT", "STATUS"], rows).join("\n")}\n`;
}
