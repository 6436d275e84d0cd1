import { type Command, Option } from "commander";
import type { PresenceFilter } from "../client/types.ts";
import type { VisibleStatus } from "../protocol/wire.ts";
import { type Pairs, readPairs } from "./arguments.ts";
import { CliError } from "./cli-error.ts";

export interface FilterOptions {
  readonly user?: string[];
  /** False for `--no-conversation`. */
  readonly conversation?: string | false;
  readonly focused?: true;
  readonly notFocused?: true;
  readonly typing?: true;
  readonly notTyping?: true;
  readonly background?: true;
  readonly status?: VisibleStatus[];
  readonly custom?: Pairs;
  readonly invisible?: true;
  readonly filter?: string;
}

const STATUSES = ["online", "idle", "away", "busy", "dnd"] as const satisfies VisibleStatus[];
const EVERYONE = "Who is asked for (everyone with a visible widget, unless you say otherwise):";
const OF_USERS = "What is asked of them (a visible widget, unless you say otherwise):";

/**
 * Adds the options for the users and sessions to match. If arguments name the users, none of the options
 * does, and none is about a status.
 */
export function addFilterOptions(command: Command, hasUserArguments = false): Command {
  const single = [
    ...(hasUserArguments ? [] : ["user", "status"]),
    ...["conversation", "focused", "notFocused", "typing", "notTyping", "background", "custom", "invisible"],
  ];
  command.optionsGroup(hasUserArguments ? OF_USERS : EVERYONE);
  if (!hasUserArguments) command.option("-u, --user <id...>", "only these users");
  command
    .option("-c, --conversation <id>", "who has this conversation selected")
    .option("--no-conversation", "who has none selected")
    .addOption(new Option("--focused", "who looks at it: the widget has the focus").conflicts("notFocused"))
    .option("--not-focused", "who does not look at it")
    .addOption(new Option("--typing", "who types").conflicts("notTyping"))
    .option("--not-typing", "who does not type")
    .option("--custom <name=value...>", "whose custom field has this value, or one of several", readPairs);
  if (!hasUserArguments) {
    command.addOption(new Option("--status <status...>", "who has one of these statuses").choices(STATUSES));
  }
  return command
    .option("--background", "also users without a visible widget, and background sessions that match")
    .option("--invisible", "also users whose status is invisible")
    .addOption(
      new Option("--filter <json>", "all of it as JSON, as the HTTP API takes it").conflicts(single),
    );
}

/** The filter from the options. Throws a `CliError` if the filter is invalid. */
export async function readFilter(options: FilterOptions): Promise<PresenceFilter> {
  const [{ FilterSchema }, { toFieldIssues }] = await Promise.all([
    import("../protocol/filter.ts"),
    import("../protocol/codec.ts"),
  ]);
  const result = FilterSchema.safeParse(toFilter(options));
  if (result.success) return result.data;
  const { path, message } = toFieldIssues(result.error)[0]!;
  throw new CliError(`the filter is not valid: ${[...path.map(String), message].join(": ")}`);
}

function toFilter(options: FilterOptions): unknown {
  if (options.filter !== undefined) {
    try {
      return JSON.parse(options.filter);
    } catch {
      throw new CliError(`--filter must be JSON, such as '{"userIds": ["alice"], "hasFocus": true}'`);
    }
  }
  const { user, conversation, focused, notFocused, typing, notTyping, background } = options;
  const { status, custom, invisible } = options;
  return {
    ...(user !== undefined && { userIds: user }),
    ...(conversation !== undefined && {
      selectedConversationId: conversation === false ? null : conversation,
    }),
    ...((focused || notFocused) && { hasFocus: focused === true }),
    ...((typing || notTyping) && { isTyping: typing === true }),
    ...(background && { includeBackgroundSessions: true }),
    ...(status !== undefined && { status }),
    ...(custom !== undefined && { custom: Object.fromEntries(custom) }),
    ...(invisible && { includeInvisible: true }),
  };
}
