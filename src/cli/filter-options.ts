import { type Command, Option } from "commander";
import type { PresenceFilter } from "../client/types.ts";
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
  readonly filter?: string;
}

/** Adds the options for the users and sessions to match. */
export function addFilterOptions(command: Command): Command {
  const single = ["user", "conversation", "focused", "notFocused", "typing", "notTyping", "background"];
  return command
    .optionsGroup("Who is asked for (everyone with a visible widget, unless you say otherwise):")
    .option("-u, --user <id...>", "only these users")
    .option("-c, --conversation <id>", "who has this conversation selected")
    .option("--no-conversation", "who has none selected")
    .addOption(new Option("--focused", "who looks at it: the widget has the focus").conflicts("notFocused"))
    .option("--not-focused", "who does not look at it")
    .addOption(new Option("--typing", "who types").conflicts("notTyping"))
    .option("--not-typing", "who does not type")
    .option("--background", "also users without a visible widget, and background sessions that match")
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
  return {
    ...(user !== undefined && { userIds: user }),
    ...(conversation !== undefined && {
      selectedConversationId: conversation === false ? null : conversation,
    }),
    ...((focused || notFocused) && { hasFocus: focused === true }),
    ...((typing || notTyping) && { isTyping: typing === true }),
    ...(background && { includeBackgroundSessions: true }),
  };
}
