import { z } from "zod";
import { Id, idList } from "./ids.ts";
import { MAX_FILTER_USER_IDS } from "./rules.ts";
import { namesUnknownFields } from "./unknown-fields.ts";
import type { PresenceFilter } from "./wire.ts";

/** A boolean or "any": null and absent mean the same, and become undefined. */
const anyOr = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined);

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

/** A validated filter. */
export type Filter = z.output<typeof FilterSchema>;
