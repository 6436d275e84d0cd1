import { Argument, type Command } from "commander";
import { MAX_STATUS_MS } from "../protocol/rules.ts";
import type { Availability, DeclaredStatus } from "../protocol/wire.ts";
import { durationUpTo, readId } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { addCommandGroup } from "./command-group.ts";
import { finish } from "./finish.ts";
import { type ApiRequest, callApi } from "./http-api.ts";
import { localTime } from "./local-time.ts";
import { addTargetOptions, findTarget } from "./target.ts";

interface StatusOptions {
  readonly json?: true;
}

interface SetOptions extends StatusOptions {
  readonly text?: string;
  readonly emoji?: string;
  /** Milliseconds. */
  readonly expires?: number;
}

const AVAILABILITIES = [
  "available",
  "away",
  "busy",
  "dnd",
  "invisible",
] as const satisfies readonly Availability[];

const AFTER = `
Exit codes: 0 done, 2 wrong usage, or it could not be asked.

Examples:
  $ npx presence-gateway status set alice busy --text "In a meeting" --emoji 🎧 --expires 1h
  $ npx presence-gateway status get alice
  $ npx presence-gateway status reset alice`;

export function addStatus(program: Command, dependencies: CliDependencies): void {
  const status = addCommandGroup(program, "status", {
    summary: "a user's declared status: busy, away, …",
    description: "The status that a user has declared, with text and emoji. It outlives the user's sessions.",
    after: AFTER,
  });

  const get = status
    .command("get")
    .summary("see it")
    .description("Prints the declared status of a user.")
    .addArgument(userArgument())
    .action(
      async (userId: string, options: StatusOptions, command: Command) =>
        await ask({ method: "GET" }, userId, options, command, dependencies),
    );
  const set = status
    .command("set")
    .summary("set all of it")
    .description(
      "Sets the whole status of a user: what you leave out has its default. Everyone who sees the user sees " +
        "it at once. An invisible user looks as if offline.",
    )
    .addArgument(userArgument())
    .addArgument(new Argument("[availability]", "what is declared").choices(AVAILABILITIES))
    .option("--text <text>", "at most 128 characters")
    .option("--emoji <emoji>", "at most 32 characters")
    .option(
      "--expires <duration>",
      "then it is the default again, such as 15m, 1h, 7d",
      durationUpTo(MAX_STATUS_MS, "365d"),
    )
    .action(
      async (
        userId: string,
        availability: Availability | undefined,
        { text, emoji, expires: expiresInMs, ...options }: SetOptions,
        command: Command,
      ) => {
        const body = { availability, text, emoji, expiresInMs };
        await ask({ method: "PUT", body }, userId, options, command, dependencies);
      },
    );
  const reset = status
    .command("reset")
    .summary("back to the default")
    .description("Resets the status of a user: available, without text and emoji.")
    .addArgument(userArgument())
    .action(
      async (userId: string, options: StatusOptions, command: Command) =>
        await ask({ method: "DELETE" }, userId, options, command, dependencies),
    );
  for (const command of [get, set, reset]) {
    command.option("--json", "print JSON, as the HTTP API answers");
    addTargetOptions(command).addHelpText("after", AFTER);
  }
}

function userArgument(): Argument {
  return new Argument("<userId>", "id of the user").argParser(readId);
}

async function ask(
  request: Pick<ApiRequest, "method" | "body">,
  userId: string,
  { json }: StatusOptions,
  command: Command,
  dependencies: CliDependencies,
): Promise<void> {
  const target = await findTarget(command, dependencies);
  const answer = await callApi<{ readonly data: DeclaredStatus }>(target, {
    ...request,
    path: "users/status",
    query: { userId },
  });
  const { visible, visibleJson } = await import("./terminal-text.ts");
  process.stdout.write(`${json ? visibleJson(answer) : visible(describe(answer.data))}\n`);
  await finish(0);
}

function describe({ availability, emoji, text, expiresAt }: DeclaredStatus): string {
  const words = [availability, emoji, text].filter(Boolean).join(" ");
  return expiresAt === undefined ? words : `${words} (until ${localTime(expiresAt)})`;
}
