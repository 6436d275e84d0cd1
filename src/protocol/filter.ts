import { z } from "zod";
import { Id, idList } from "./ids.ts";
import { MAX_FILTER_USER_IDS } from "./rules.ts";
import type { PresenceFilter } from "./wire.ts";

/** A boolean or "any": null and absent mean the same, and become undefined. */
const anyOr = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined);

/**
 * A presence query as clients write it. Every field is optional and unknown fields are ignored. Parsed, "any"
 * is always `undefined`; for `selectedConversationId` null stays null, "no conversation selected".
 */
export const FilterSchema = z
  .object({
    includeBackgroundSessions: anyOr.meta({
      description: "Also answer for users without a visible widget, and list matching background sessions.",
    }),
    selectedConversationId: Id.nullable().optional().meta({
      description:
        "Sessions in this conversation; null: sessions with no conversation selected; absent: any.",
    }),
    hasFocus: anyOr.meta({ description: "Sessions that have, or have not, the focus." }),
    isTyping: anyOr.meta({ description: "Sessions whose user is, or is not, typing." }),
    userIds: idList(MAX_FILTER_USER_IDS)
      .nullish()
      .transform((value) => value ?? undefined)
      .meta({ description: "Only these users; an empty list matches nobody." }),
  })
  .meta({
    id: "Filter",
    description: "Which sessions, and so which users, an answer is about.",
  }) satisfies z.ZodType<PresenceFilter, PresenceFilter>;

/** A validated filter. */
export type Filter = z.output<typeof FilterSchema>;
