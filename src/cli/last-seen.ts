import type { Command } from "commander";
import type { VisibleStatus } from "../protocol/wire.ts";
import { readIds } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { localTime } from "./local-time.ts";
import { addTargetOptions, findTarget } from "./target.ts";

type Seen = { readonly status: VisibleStatus } | { readonly lastSeenAt: number };

export function addLastSeen(program: Command, dependencies: CliDependencies): void {
  const lastSeen = program
    .command("last-seen")
    .summary("ask when users were last there")
    .description(
      "Asks when others saw these users the last time. The app must keep that ('lastSeen': true in APPS).",
    )
    .argument("<userId...>", "ids of 1 to 1,000 users", readIds)
    .option("--json", "print JSON, as the HTTP API answers");
  addTargetOptions(lastSeen)
    .addHelpText(
      "after",
      `
Exit codes: 0 answered, 2 it could not be asked.

Examples:
  $ npx presence-gateway last-seen alice bob
  $ npx presence-gateway last-seen alice --json | jq .data.alice.lastSeenAt`,
    )
    .action(async (userIds: readonly string[], { json }: { readonly json?: true }, command: Command) => {
      const target = await findTarget(command, dependencies);
      const answer = await callApi<{ readonly data: Readonly<Record<string, Seen>> }>(target, {
        method: "POST",
        path: "last-seen",
        body: { userIds },
      });
      if (json) {
        const { visibleJson } = await import("./terminal-text.ts");
        process.stdout.write(`${visibleJson(answer)}\n`);
      } else process.stdout.write(await render(new Set(userIds), answer.data));
      await finish(0);
    });
}

async function render(userIds: ReadonlySet<string>, data: Readonly<Record<string, Seen>>): Promise<string> {
  const { renderTable } = await import("./table.ts");
  const rows = [...userIds].map((id) => [id, Object.hasOwn(data, id) ? describe(data[id]!) : "never"]);
  return `${renderTable(["USER", "LAST SEEN"], rows).join("\n")}\n`;
}

function describe(seen: Seen): string {
  return "status" in seen ? `now (${seen.status})` : localTime(seen.lastSeenAt);
}
