import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import { isMapOf, isValue } from "../client/server-message.ts";
import type { PresenceFilter } from "../client/types.ts";
import { durationUpTo } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import type { Comparison, Presences } from "./compare/compare-presences.ts";
import { addFilterOptions, type FilterOptions, readFilter } from "./filter-options.ts";
import { finish } from "./finish.ts";
import { ApiError, callApi } from "./http-api.ts";
import { addTargetOptions, findTarget, incomplete, makeTarget, readAppId, type Target } from "./target.ts";
import { wholeNumber } from "./whole-number.ts";

interface CompareOptions extends FilterOptions {
  readonly talkjsUrl: string;
  readonly talkjsApp?: string;
  readonly talkjsSecret?: string;
  readonly talkjsToken?: string;
  readonly repeat: number;
  /** Milliseconds. */
  readonly every: number;
  readonly json?: true;
}

const TALKJS_URL = "https://api.talkjs.com";
/** What TalkJS's filter has. */
const KNOWN_TO_TALKJS: readonly string[] = [
  "includeBackgroundSessions",
  "selectedConversationId",
  "hasFocus",
  "isTyping",
  "userIds",
] satisfies readonly (keyof PresenceFilter)[];

export function addCompare(program: Command, dependencies: CliDependencies): void {
  const compare = program
    .command("compare")
    .summary("ask TalkJS and the gateway the same, and print the difference")
    .description(
      "Asks the presence API of TalkJS and the gateway the same question at the same time, and prints who " +
        "is only in one of the answers, and what they say differently. Ids of sessions are not compared.",
    );
  addFilterOptions(compare)
    .optionsGroup("TalkJS:")
    .addOption(new Option("--talkjs-url <url>", "its address").env("TALKJS_URL").default(TALKJS_URL))
    .addOption(
      new Option("--talkjs-app <id>", "id of the app there (that of the gateway)")
        .env("TALKJS_APP_ID")
        .argParser(readAppId),
    )
    .addOption(new Option("--talkjs-secret <secret>", "the secret key of that app").env("TALKJS_SECRET"))
    .addOption(new Option("--talkjs-token <token>", "a token, in place of a secret").env("TALKJS_TOKEN"))
    .optionsGroup("Options:")
    .addOption(
      new Option("--repeat <n>", "ask so many times, and print what differs each time")
        .default(1)
        .argParser(wholeNumber(1_000)),
    )
    .addOption(
      new Option("--every <duration>", "the pause between them")
        .default(5_000, "5s")
        .argParser(durationUpTo(3_600_000, "1h")),
    )
    .option("--json", "print JSON");
  addTargetOptions(compare, true, "--gateway-url, --url <url>")
    .addHelpText(
      "after",
      `
People come and go between the two answers: --repeat 3 leaves out what differs for a moment only.

Exit codes: 0 both say the same, 1 they differ, 2 wrong usage, or one of them could not be asked.

Examples:
  $ TALKJS_APP_ID=… TALKJS_SECRET=… npx presence-gateway compare --background
  $ npx presence-gateway compare --gateway-url http://127.0.0.1:8080 --repeat 3`,
    )
    .action(async (options: CompareOptions, command: Command) => {
      const filter = await readFilter(options);
      const unknown = Object.keys(filter).find((field) => !KNOWN_TO_TALKJS.includes(field));
      if (unknown !== undefined) throw new CliError(`TalkJS's presence API has no ${unknown}: leave it out`);
      const gateway = await findTarget(command, dependencies);
      const talkjs = talkjsTarget(options, gateway);
      const { comparePresences, lastingDifferences } = await import("./compare/compare-presences.ts");
      let comparison: Comparison | undefined;
      for (let round = 1; round <= options.repeat; round++) {
        if (round > 1) await sleep(options.every);
        const [theirs, ours] = await Promise.all([ask(talkjs, filter, "TalkJS"), ask(gateway, filter)]);
        const now = comparePresences(theirs, ours);
        comparison = comparison === undefined ? now : lastingDifferences(comparison, now);
        if (comparison.differences.length === 0) break;
      }
      process.stdout.write(await render(comparison!, options));
      await finish(comparison!.differences.length === 0 ? 0 : 1);
    });
}

function talkjsTarget(options: CompareOptions, gateway: Target): Target {
  const { talkjsUrl: url, talkjsApp: app, talkjsSecret: secret, talkjsToken: token } = options;
  if (!secret && !token)
    throw incomplete(["--talkjs-secret (TALKJS_SECRET) or --talkjs-token (TALKJS_TOKEN)"]);
  return makeTarget("--talkjs-url (TALKJS_URL)", { url, app: app || gateway.appId, secret, token });
}

/** `name`: of the one that is asked, if it is not the gateway. */
async function ask(target: Target, body: PresenceFilter, name?: string): Promise<Presences> {
  const who = name ?? "the gateway";
  let answer: { readonly data?: unknown };
  try {
    answer = await callApi(target, { method: "POST", path: "presences", body });
  } catch (error) {
    if (name === undefined || !(error instanceof ApiError)) throw error;
    if (error.status === 401) {
      throw new CliError(
        `${name} does not take this secret or token: check TALKJS_APP_ID and TALKJS_SECRET, or TALKJS_TOKEN`,
      );
    }
    const why = error.message.replace("no gateway", "nothing").replace("the gateway refuses", "it refuses");
    throw new CliError(`${name}: ${why}`);
  }
  const data = answer?.data;
  if (!isMapOf(isValue)(data))
    throw new CliError(`the answer of ${who} has another form than presences have`);
  return data as Presences;
}

async function render({ alike, differences }: Comparison, { json }: CompareOptions): Promise<string> {
  const { visibleJson } = await import("./terminal-text.ts");
  if (json) return `${visibleJson({ alike, differences })}\n`;
  const { renderTable } = await import("./table.ts");
  const cell = (value: unknown, field: string) => {
    if (value === null && !field.includes(".")) return "-";
    return field === "user" ? "is there" : typeof value === "string" ? value : JSON.stringify(value);
  };
  const rows = differences.map(({ userId, field, talkjs, gateway }) => [
    userId,
    field,
    cell(talkjs, field),
    cell(gateway, field),
  ]);
  const table = rows.length === 0 ? [] : renderTable(["USER", "WHAT", "TALKJS", "GATEWAY"], rows);
  const users = new Set(differences.map(({ userId }) => userId)).size;
  return `${[...table, `${alike} alike, ${users} different`].join("\n")}\n`;
}
