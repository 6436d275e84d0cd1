import { type Command, InvalidArgumentError, Option } from "commander";
import type { TokenSource } from "../client/types.ts";
import { idProblem } from "../protocol/rules.ts";
import type { CliDependencies, DevCredentials } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";

export interface AppOptions {
  readonly app?: string | undefined;
  readonly secret?: string | undefined;
}

export interface TargetOptions extends AppOptions {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}

/** A gateway, one of its apps, and the credentials. */
export interface Target {
  /** An http or https address without a slash at its end. */
  readonly url: string;
  readonly appId: string;
  /** Undefined if there is only a token. */
  readonly secret: string | undefined;
  readonly token: TokenSource;
}

/** Long enough for wrong clocks, short enough to be harmless. */
const TOKEN_SECONDS = 3_600;

const IN_DEVELOPMENT = `Without them: the gateway in development mode on this machine, on PORT (8080).
A secret on the command line can be seen by other users of the machine: rather set the environment variable.`;

/** Adds the options for an app and its secret. */
export function addAppOptions(command: Command): Command {
  return command
    .optionsGroup("The app:")
    .addOption(new Option("-a, --app <id>", "id of the app").env("APP_ID").argParser(readAppId))
    .addOption(new Option("-s, --secret <secret>", "a secret of the app").env("APP_SECRET"))
    .addHelpText("after", `\n${IN_DEVELOPMENT}`);
}

export function readAppId(text: string): string {
  const problem = text === "" ? undefined : idProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}.`);
  return text;
}

/** Adds the options for a gateway, an app and the credentials. `urlFlags` ends with `--url <url>`. */
export function addTargetOptions(command: Command, takesToken = true, urlFlags = "--url <url>"): Command {
  addAppOptions(command)
    .optionsGroup("The app:")
    .addOption(new Option(urlFlags, "address of the gateway").env("GATEWAY_URL"));
  if (takesToken) {
    command.addOption(
      new Option("-t, --token <token>", "a token of the app, in place of a secret").env("APP_TOKEN"),
    );
  }
  return command;
}

/** The app and the secret that sign tokens. */
export async function findApp(
  options: AppOptions,
  { readDevCredentials }: CliDependencies,
): Promise<DevCredentials> {
  const { app, secret } = options;
  if (app && secret) return { url: "", appId: app, secret };
  if (app || secret) throw incomplete([!app && "--app (APP_ID)", !secret && "--secret (APP_SECRET)"]);
  return await credentialsOr(readDevCredentials, "--app and --secret (APP_ID, APP_SECRET)");
}

/** The gateway from the options or the environment, otherwise the gateway in development mode. */
export async function findTarget(command: Command, { readDevCredentials }: CliDependencies): Promise<Target> {
  const { url, app, secret, token } = preferred(command);
  const takesToken = command.options.some(({ long }) => long === "--token");
  if (!url && !app && !secret) {
    const orSay = takesToken
      ? "--url, --app and --secret or --token (GATEWAY_URL, APP_ID, APP_SECRET or APP_TOKEN)"
      : "--url, --app and --secret (GATEWAY_URL, APP_ID, APP_SECRET)";
    const credentials = await credentialsOr(readDevCredentials, orSay);
    if (token) return { ...credentials, secret: undefined, token };
    // A restarted gateway has another secret, which it stores in the same place.
    const current = async () => (await readDevCredentials(port())) ?? credentials;
    return { ...credentials, token: async () => await mintAppToken(await current()) };
  }
  if (!url || !app || !(secret || token)) {
    throw incomplete([
      !url && "--url (GATEWAY_URL)",
      !app && "--app (APP_ID)",
      !secret && !token && `--secret (APP_SECRET)${takesToken ? " or --token (APP_TOKEN)" : ""}`,
    ]);
  }
  return makeTarget("--url (GATEWAY_URL)", { url, app, secret, token });
}

/** The target of options that are complete. `urlOption` names the option of the address in errors. */
export function makeTarget(urlOption: string, { url, app, secret, token }: TargetOptions): Target {
  const base = { url: httpAddress(url ?? "", urlOption), appId: app ?? "" };
  if (token) return { ...base, secret: undefined, token };
  return { ...base, secret, token: () => mintAppToken({ ...base, secret: secret ?? "" }) };
}

/**
 * An option has priority over an environment variable. A token, which has fewer rights, has priority over a
 * secret.
 */
function preferred(command: Command): TargetOptions {
  const options: TargetOptions = command.opts();
  const isGiven = (name: string) => command.getOptionValueSource(name) === "cli";
  if (!isGiven("secret") || isGiven("token")) return options;
  const { token: _, ...others } = options;
  return others;
}

async function mintAppToken({ appId, secret }: DevCredentials): Promise<string> {
  const { mintToken } = await import("../server/auth/mint.ts");
  return await mintToken(appId, secret, { tokenType: "app" }, Math.floor(Date.now() / 1000) + TOKEN_SECONDS);
}

async function credentialsOr(
  read: CliDependencies["readDevCredentials"],
  orSay: string,
): Promise<DevCredentials> {
  const credentials = await read(port());
  if (credentials !== undefined) return credentials;
  throw new CliError(
    `no gateway in development mode runs on port ${port()} (PORT) of this machine: ` +
      `start one (npm start, or npx presence-gateway), or set ${orSay}`,
  );
}

function port(): number {
  return Number(process.env.PORT || 8080);
}

export function incomplete(missing: readonly (string | false)[]): CliError {
  return new CliError(`set ${missing.filter(Boolean).join(" and ")} too, or leave all of them unset`);
}

function httpAddress(text: string, option: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol)) {
    throw new CliError(`${option} must be an address such as http://127.0.0.1:8080`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new CliError(`${option} must have no user, password, query or fragment`);
  }
  return `${url.protocol.replace("ws", "http")}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}
