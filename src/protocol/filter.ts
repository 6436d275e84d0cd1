import { z } from "zod";
import { length } from "./bounds.ts";
import { Id, idList } from "./ids.ts";
import {
  isCustomPatch,
  MAX_FILTER_CUSTOM_KEYS,
  MAX_FILTER_CUSTOM_VALUES,
  MAX_FILTER_USER_IDS,
} from "./rules.ts";
import { namesUnknownFields } from "./unknown-fields.ts";
import type { PresenceFilter, SessionField, VisibleStatus } from "./wire.ts";

export const VISIBLE_STATUSES = ["online", "idle", "away", "busy", "dnd"] as const satisfies VisibleStatus[];
export const SESSION_FIELDS = [
  "selectedConversationId",
  "custom",
  "hasFocus",
  "isTyping",
  "sessionId",
] as const satisfies SessionField[];

/** Repeated fields are harmless, but a list is never longer than this. */
const MAX_FIELDS = 100;

/** A boolean or "any": null and absent mean the same, and become undefined. */
const anyOr = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined);

const Custom = z.custom<Readonly<Record<string, string | readonly string[]>>>().check(({ value, issues }) => {
  if (isCustomFilter(value)) return;
  const message =
    `must have 1 to ${MAX_FILTER_CUSTOM_KEYS} keys, each with a text or a list of 1 to ` +
    `${MAX_FILTER_CUSTOM_VALUES} texts, within the limits of custom`;
  issues.push({ code: "custom", message, input: value, continue: false });
});

function isCustomFilter(filter: unknown): boolean {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) return false;
  const keys = Object.keys(filter);
  if (keys.length < 1 || keys.length > MAX_FILTER_CUSTOM_KEYS) return false;
  return keys.every((key) => {
    const values: unknown = (filter as Record<string, unknown>)[key];
    if (typeof values === "string") return isCustomEntry(key, values);
    return (
      Array.isArray(values) &&
      values.length >= 1 &&
      values.length <= MAX_FILTER_CUSTOM_VALUES &&
      values.every((value: unknown) => typeof value === "string" && isCustomEntry(key, value))
    );
  });
}

/** Whether a session could have this key with this value. */
function isCustomEntry(key: string, value: string): boolean {
  return isCustomPatch({ [key]: value });
}

const fields = {
  includeBackgroundSessions: anyOr.meta({
    description: "Also answer for users without a visible widget, and list matching background sessions.",
  }),
  selectedConversationId: Id.nullable().optional().meta({
    description: "Sessions in this conversation; null: sessions with no conversation selected; absent: any.",
  }),
  hasFocus: anyOr.meta({ description: "Sessions that have, or have not, the focus." }),
  isTyping: anyOr.meta({ description: "Sessions whose user is, or is not, typing." }),
  userIds: idList(MAX_FILTER_USER_IDS)
    .nullish()
    .transform((value) => value ?? undefined)
    .meta({ description: "Only these users; an empty list matches nobody." }),
  status: z
    .array(z.enum(VISIBLE_STATUSES))
    .check(length(1, VISIBLE_STATUSES.length, `must have 1 to ${VISIBLE_STATUSES.length} statuses`))
    .nullish()
    .transform((value) => value ?? undefined)
    .meta({ description: "Users with one of these statuses." }),
  custom: Custom.nullish()
    .transform((value) => value ?? undefined)
    .meta({ description: "Sessions whose custom has one of these values for every key." }),
  fields: z
    .array(z.enum(SESSION_FIELDS))
    .check(length(0, MAX_FIELDS, `must have at most ${MAX_FIELDS} fields`))
    .nullish()
    .transform((value) => value ?? undefined)
    .meta({ description: "List sessions with these fields only; an empty list leaves out the sessions." }),
  includeInvisible: anyOr.meta({ description: "Also invisible users; for app tokens and secrets only." }),
};

/** The fields that a filter may have. */
export const FILTER_FIELDS: readonly string[] = Object.keys(fields);

/** A field that older clients of TalkJS send, and that means nothing here. */
export const IGNORED_FIELD = "expandUser";

const ignored: object = {
  [IGNORED_FIELD]: z
    .unknown()
    .optional()
    .transform(() => undefined)
    .meta({ description: "Ignored: older clients of TalkJS send it.", deprecated: true }),
};

/**
 * A presence query as clients write it. Every field is optional. An unknown field is an error: to ignore a
 * misspelt `userIds` would be to answer "everyone". Parsed, "any" is always `undefined`; for
 * `selectedConversationId` null stays null, "no conversation selected".
 */
export const FilterSchema = z
  .strictObject({ ...fields, ...ignored }, { error: namesUnknownFields(FILTER_FIELDS) })
  .meta({
    id: "Filter",
    description: "Which sessions, and so which users, an answer is about.",
  }) satisfies z.ZodType<PresenceFilter, PresenceFilter>;

const { userIds: _ids, status: _status, fields: _fields, ...checkFields } = fields;

/** The filter of a check, which names its users beside it and lists no sessions. */
export const CheckFilterSchema = z.strictObject(
  { ...checkFields, ...ignored },
  { error: namesUnknownFields(Object.keys(checkFields)) },
);

/** A validated filter. */
export type Filter = z.output<typeof FilterSchema>;
