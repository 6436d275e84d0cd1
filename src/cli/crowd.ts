import { Argument, type Command, Option } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { finish } from "./finish.ts";
import { addTargetOptions, findTarget } from "./target.ts";
import { wholeNumber } from "./whole-number.ts";

interface CrowdOptions {
  readonly users?: number;
  readonly rate: number;
  readonly conversations: number;
  readonly seconds?: number;
}

const MAX_USERS = 50_000;
const MAX_SECONDS = 1_000_000;
const USERS = 200;

export function addCrowd(program: Command, dependencies: CliDependencies): void {
  const crowd = program
    .command("crowd")
    .summary("fill a gateway with simulated users")
    .description(
      "Fills a gateway with simulated users, until Ctrl-C or for a time: they connect, look, type, change " +
        "tabs and conversations, lose their network, come back, and leave. Each has a WebSocket or two.",
    )
    .addArgument(new Argument("[users]", `how many (${USERS})`).argParser(wholeNumber(MAX_USERS)))
    .addOption(option("-n, --users <n>", "the same as the argument", MAX_USERS))
    .addOption(option("-r, --rate <n>", "connections a second", 10_000).default(100))
    .addOption(option("--conversations <n>", "conversations they take part in", 1_000_000).default(30))
    .addOption(option("--seconds <n>", "leave after so many", MAX_SECONDS));
  addTargetOptions(crowd, false)
    .addHelpText(
      "after",
      `
Exit codes: 0 it was asked to end, 2 it cannot go on.

Examples:
  $ npx presence-gateway crowd 1000 --seconds 60
  $ npx presence-gateway crowd --users 5000 --rate 500 --conversations 200`,
    )
    .action(async (argument: number | undefined, options: CrowdOptions, command: Command) => {
      if (argument !== undefined && options.users !== undefined) {
        throw new CliError("say how many users once: crowd 200, or crowd --users 200");
      }
      const target = await findTarget(command, dependencies);
      // Each simulated user has its own token, so the command needs a secret and has no --token option.
      const secret = target.secret!;
      const stop = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop.abort());
      const { simulate } = await import("./simulator/simulate.ts");
      const { rate, conversations, seconds } = options;
      await simulate(
        { ...target, secret },
        { users: argument ?? options.users ?? USERS, rate, conversations, seconds },
        stop,
      );
      await finish(0);
    });
}

function option(flags: string, text: string, max: number): Option {
  return new Option(flags, text).argParser(wholeNumber(max));
}
