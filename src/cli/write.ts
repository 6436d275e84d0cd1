import { type Command, InvalidArgumentError, Option } from "commander";
import type { SessionKind, SessionPatch } from "../protocol/wire.ts";
import { durationUpTo, type Pairs, readId, readPairs } from "./arguments.ts";
import type { CliDependencies } from "./cli-dependencies.ts";
import { CliError } from "./cli-error.ts";
import { finish } from "./finish.ts";
import { callApi } from "./http-api.ts";
import { addTargetOptions, findTarget } from "./target.ts";
import { keepWriting, refreshMs } from "./write/keep-writing.ts";

interface WriteOptions {
  readonly key: string;
  readonly kind?: SessionKind;
  readonly hidden?: true;
  readonly conversation?: string;
  readonly focused?: true;
  readonly typing?: true;
  readonly idle?: true;
  readonly custom?: Pairs;
  /** Milliseconds. */
  readonly ttl: number;
  readonly once?: true;
}

/** What the gateway answers to a write. */
interface Written {
  readonly data: {
    readonly sessionId: string;
    readonly created: boolean;
  };
}

const DEFAULT_TTL_MS = 60_000;
const MAX_TTL_MS = 3_600_000;

export function addWrite(program: Command, dependencies: CliDependencies): void {
  const write = program
    .command("write")
    .summary("show a user as present, without a socket")
    .description(
      "Writes a session of a user over HTTP and keeps it until you end the command (Ctrl-C). If the command " +
        "dies, the session ends by itself after its time to live. A session that a back end ends meanwhile " +
        "is opened again.",
    )
    .argument("<userId>", "id of the user", readId)
    .optionsGroup("The session:")
    .option("-c, --conversation <id>", "has this conversation selected", readId)
    .option("--focused", "has the focus")
    .option("--typing", "the user types")
    .option("--idle", "nobody has touched it for a while")
    .option("--custom <name=value...>", "has these custom fields", readPairs)
    .addOption(new Option("--kind <kind>", "what it is").choices(["widget", "background"]))
    .option("--hidden", "the widget is not on screen")
    .optionsGroup("Options:")
    .option("--key <key>", "names it among the sessions of the user", readKey, "cli")
    .addOption(
      new Option("--ttl <duration>", "how long it lives without the command, from 1s to 1h")
        .default(DEFAULT_TTL_MS, "60s")
        .argParser(durationUpTo(MAX_TTL_MS, "1h")),
    )
    .option("--once", "write it once and leave it to its time to live");
  addTargetOptions(write)
    .addHelpText(
      "after",
      `
Exit codes: 0 it was asked to end (Ctrl-C, SIGTERM), or has written once, 2 it cannot write.

Examples:
  $ npx presence-gateway write support-bot --conversation c1 --typing
  $ npx presence-gateway write cron-job --kind background --custom job=billing --ttl 10m --once`,
    )
    .action(async (userId: string, options: WriteOptions, command: Command) => {
      const target = await findTarget(command, dependencies);
      const { visible } = await import("./terminal-text.ts");
      const say = (text: string) => void process.stdout.write(`${visible(text)}\n`);
      const warn = (text: string) => void process.stderr.write(`presence-gateway: ${visible(text)}\n`);
      const { key, ttl, once } = options;
      const session = { path: "users/sessions", query: { userId, key } };
      const body = { ...toPatch(options), kind: options.kind, ttlMs: ttl };
      const put = async () => {
        const { data } = await callApi<Written>(target, { method: "PUT", ...session, body });
        if (data.created) say(`${userId} is there, session ${data.sessionId}`);
      };
      if (once) {
        await put();
        return await finish(0);
      }
      const stop = new AbortController();
      // Only once: a second Ctrl-C ends the process at once.
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort());
      await keepWriting(put, refreshMs(ttl, options.typing === true), stop.signal, warn);
      try {
        await callApi(target, { method: "DELETE", ...session });
      } catch (error) {
        throw new CliError(`${(error as Error).message}; the session ends within ${ttl / 1_000} s`);
      }
      say(`${userId} is no longer there`);
      await finish(0);
    });
}

/** All fields, because the session may have ended: the next write then opens it with the same ones. */
function toPatch({ hidden, conversation, focused, typing, idle, custom }: WriteOptions): SessionPatch {
  return {
    visible: hidden !== true,
    selectedConversationId: conversation ?? null,
    hasFocus: focused === true,
    isTyping: typing === true,
    isIdle: idle === true,
    ...(custom !== undefined && {
      custom: Object.fromEntries([...custom].map(([name, values]) => [name, values.at(-1)!])),
    }),
  };
}

function readKey(text: string): string {
  if (!/^[\w-]{1,64}$/.test(text)) throw new InvalidArgumentError("It must be 1 to 64 of A-Z a-z 0-9 _ -.");
  return text;
}
