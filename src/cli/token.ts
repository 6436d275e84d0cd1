import { type Command, InvalidArgumentError, Option } from "commander";
import { MAX_TOKEN_LENGTH } from "../protocol/rules.ts";
import type { TokenClaims } from "../server/auth/mint.ts";
import { readId, readIds } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { addCommandGroup } from "./command-group.ts";
import { parseDuration } from "./duration.ts";
import { type AppOptions, addAppOptions, findApp } from "./target.ts";

interface TokenOptions extends AppOptions {
  /** Seconds. */
  readonly expires: number | "never";
}

interface UserTokenOptions extends TokenOptions {
  readonly readAll?: true;
  readonly readUser?: string[];
  readonly readConversation?: string[];
}

const EXAMPLES = `
Examples:
  $ npx presence-gateway token user alice --read-conversation c1 c2
  $ npx presence-gateway token app --expires 15m
  $ APP_ID=my-app APP_SECRET=… npx presence-gateway token user alice --read-all --expires 7d`;

export function addToken(program: Command, dependencies: CliDependencies): void {
  const token = addCommandGroup(program, "token", {
    summary: "make a token for a user, or for the app",
    description: "Makes a token (JWT) and prints it, and nothing else, on standard output.",
    after: EXAMPLES,
  });

  const user = token
    .command("user")
    .argument("<userId>", "id of the user", readId)
    .summary("a token with which a user's pages and programs connect")
    .description(
      "Makes a token for a user: it opens sessions of the user, and watches the user and what is granted.",
    )
    .optionsGroup("What the user may watch besides themself:")
    .addOption(new Option("--read-all", "everyone").conflicts(["readUser", "readConversation"]))
    .option("--read-user <id...>", "these users", readIds)
    .option("--read-conversation <id...>", "who is in these conversations", readIds)
    .action(async (userId: string, options: UserTokenOptions) => {
      const read = readGrants(options);
      await print(
        { tokenType: "user", sub: userId, ...(read !== undefined && { read }) },
        options,
        dependencies,
      );
    });
  const app = token
    .command("app")
    .summary("a token with which a back end may do everything, HTTP too")
    .description(
      "Makes a token for the app: it watches everyone, opens sessions of any user, and works over HTTP too.",
    )
    .action(async (options: TokenOptions) => await print({ tokenType: "app" }, options, dependencies));
  for (const command of [user, app]) {
    command
      .optionsGroup("Options:")
      .addOption(
        new Option("-e, --expires <duration>", "such as 90s, 15m, 1h, 7d, 2w; or never")
          .default(3_600, "1h")
          .argParser(readExpires),
      );
    addAppOptions(command).addHelpText("after", EXAMPLES);
  }
}

async function print(
  claims: TokenClaims,
  options: TokenOptions,
  dependencies: CliDependencies,
): Promise<void> {
  const { appId, secret } = await findApp(options, dependencies);
  const { mintToken } = await import("../server/auth/mint.ts");
  const { expires } = options;
  const exp = expires === "never" ? undefined : Math.floor(Date.now() / 1000) + expires;
  const token = await mintToken(appId, secret, claims, exp);
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new CliError(
      `the token would have ${token.length} characters, ` +
        `and gateways take ${MAX_TOKEN_LENGTH} at most: grant fewer ids`,
    );
  }
  process.stdout.write(`${token}\n`);
}

function readGrants({ readAll, readUser, readConversation }: UserTokenOptions) {
  if (readAll) return "all";
  if (readUser === undefined && readConversation === undefined) return undefined;
  return {
    ...(readUser !== undefined && { userIds: readUser }),
    ...(readConversation !== undefined && { conversationIds: readConversation }),
  };
}

function readExpires(text: string): TokenOptions["expires"] {
  if (text === "never") return text;
  const seconds = parseDuration(text);
  if (seconds === undefined)
    throw new InvalidArgumentError("It must be such as 90s, 15m, 1h, 7d or 2w, or never.");
  return seconds;
}
