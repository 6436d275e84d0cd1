import type { Command } from "commander";
import type { PresenceSnapshot } from "../client/types.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { readFilter } from "./filter-options.ts";
import { addFilterQuestion, type FilterQuestionOptions } from "./filter-question.ts";
import { finish } from "./finish.ts";
import { findTarget } from "./target.ts";

export function addQuery(program: Command, dependencies: CliDependencies): void {
  const query = program
    .command("query")
    .summary("ask once who is there")
    .description("Asks once who is there, and prints them.");
  addFilterQuestion(
    query,
    `  $ npx presence-gateway query --conversation c1 --typing
  $ if npx presence-gateway query --user alice --conversation c1 --focused >/dev/null
    then echo "alice is watching"; fi
  $ npx presence-gateway query --user alice bob --background --json | jq .data`,
  ).action(async (options: FilterQuestionOptions, command: Command) => {
    const filter = await readFilter(options);
    const target = await findTarget(command, dependencies);
    const { connectTo, toCliError } = await import("./gateway-client.ts");
    const gateway = connectTo(target);
    let snapshot: PresenceSnapshot;
    try {
      snapshot = await Promise.race([gateway.client.query(filter), gateway.unreachable]);
    } catch (error) {
      throw toCliError(error);
    }
    process.stdout.write(await render(snapshot, options));
    await gateway.close();
    await finish(snapshot.size > 0 ? 0 : 1);
  });
}

async function render(snapshot: PresenceSnapshot, { json }: FilterQuestionOptions): Promise<string> {
  const { HEADER, firstIds, toData, toRow } = await import("./presence-rows.ts");
  if (json) {
    const { visibleJson } = await import("./terminal-text.ts");
    return `${visibleJson({ data: toData(snapshot) })}\n`;
  }
  if (snapshot.size === 0) return "nobody\n";
  const { renderTable } = await import("./table.ts");
  const rows = firstIds(snapshot).map((id) => toRow(id, snapshot.get(id)!));
  // Only a terminal has a width. A pipe gets complete lines.
  const width = process.stdout.isTTY ? process.stdout.columns || undefined : undefined;
  return `${renderTable(HEADER, rows, width).join("\n")}\n`;
}
