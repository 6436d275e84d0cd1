import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { CheckFilterSchema } from "../../protocol/filter.ts";
import { idList } from "../../protocol/ids.ts";
import { sessionFields } from "../../protocol/messages.ts";
import {
  MAX_CHECKED_IDS,
  MAX_ID_LENGTH,
  MAX_LAST_SEEN_IDS,
  MAX_TTL_MS,
  MIN_TTL_MS,
} from "../../protocol/rules.ts";
import { namesUnknownFields } from "../../protocol/unknown-fields.ts";
import type { HttpSessionWrite } from "../gateway/http-sessions.ts";

// The bodies of requests, beside the filter and the status. Unknown fields are errors.

function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: namesUnknownFields(Object.keys(shape)) });
}

const sessionWriteFields = {
  kind: z.enum(["background", "widget"]).optional(),
  ...sessionFields,
  ttlMs: z.int().min(MIN_TTL_MS).max(MAX_TTL_MS).optional(),
} satisfies Record<keyof HttpSessionWrite, z.ZodType>;

export const SessionWrite = strict(sessionWriteFields).meta({
  id: "SessionWrite",
  description:
    "Opens the session or patches it. `kind` is `widget` where it is opened without one, and cannot change. " +
    "`ttlMs` is how long the session lives unless it is written again; 60,000 if absent.",
}) satisfies z.ZodType<HttpSessionWrite>;

export const Check = strict({
  userIds: idList(MAX_CHECKED_IDS, 1),
  filter: CheckFilterSchema.optional().meta({
    description: "A filter without userIds, status and fields. Any key of custom may be asked for.",
  }),
}).meta({ id: "Check", description: "Which of these users are in the result of the filter?" });

export const LastSeenRequest = strict({ userIds: idList(MAX_LAST_SEEN_IDS) }).meta({
  id: "LastSeenRequest",
  description: "When were these users last seen?",
});

/** The most requests of a batch. */
export const MAX_BATCH = 10;

export const Batch = z
  .array(
    z.tuple([
      z.union([z.int(), z.string().check(length(0, MAX_ID_LENGTH, "is too long"))]),
      // An entry with a method or path that no route has is answered like any such request.
      z.string().meta({ description: "GET, POST, PUT or DELETE." }),
      z.string().meta({ description: "Below the path of the app, percent-encoded, with its query." }),
      z.unknown().optional(),
    ]),
  )
  .check(length(0, MAX_BATCH, `must have at most ${MAX_BATCH} requests`))
  .meta({
    id: "Batch",
    description: "Requests `[seq, method, path, body?]`, which are run one after another.",
  });
