import type { Command } from "commander";
import { readId } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { addTargetOptions, findTarget } from "./target.ts";

interface EraseOptions {
  readonly yes?: true;
  readonly json?: true;
}

interface Erased {
  readonly ended: number;
}

export function addErase(program: Command, dependencies: CliDependencies): void {
  const erase = program
    .command("erase")
    .summary("forget a user: sessions, status, last seen")
    .description(
      "Ends all sessions of a user and forgets the status and when the user was last seen, on all nodes. " +
        "It asks first. The user's pages may open new sessions.",
    )
    .argument("<userId>", "id of the user", readId)
    .option("-y, --yes", "do not ask")
    .option("--json", "print JSON, as the HTTP API answers");
  addTargetOptions(erase)
    .addHelpText(
      "after",
      `
Exit codes: 0 the user is erased, 1 you said no, 2 wrong usage, or no answer from the gateway.

Examples:
  $ npx presence-gateway erase alice
  $ npx presence-gateway erase alice --yes --json`,
    )
    .action(async (userId: string, { yes, json }: EraseOptions, command: Command) => {
      const target = await findTarget(command, dependencies);
      const { visible, visibleJson } = await import("./terminal-text.ts");
      const who = visible(userId);
      if (!yes) {
        if (!process.stdin.isTTY) throw new CliError("nobody can be asked here: add --yes to erase the user");
        const { confirm } = await import("./confirm.ts");
        const question = `End all sessions of ${who} in the app ${visible(target.appId)} and forget the user?`;
        if (!(await confirm(question))) {
          process.stdout.write("nothing is erased\n");
          return await finish(1);
        }
      }
      const answer = await callApi<Erased>(target, { method: "DELETE", path: "users", query: { userId } });
      const { ended } = answer;
      const sessions = ended === 1 ? "1 session has" : `${ended} sessions have`;
      process.stdout.write(json ? `${visibleJson(answer)}\n` : `${who} is erased, ${sessions} ended\n`);
      await finish(0);
    });
}
