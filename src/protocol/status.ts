import { z } from "zod";
import {
  MAX_STATUS_EMOJI_LENGTH,
  MAX_STATUS_MS,
  MAX_STATUS_TEXT_LENGTH,
  MIN_STATUS_MS,
  statusTextProblem,
} from "./rules.ts";
import { namesUnknownFields } from "./unknown-fields.ts";
import type { StatusPatch } from "./wire.ts";

/** The text or emoji of a status, checked by hand: its length before anything else reads it. */
function text(maxLength: number) {
  return z
    .string()
    .check(({ value, issues }) => {
      const problem = statusTextProblem(value, maxLength);
      if (problem !== undefined)
        issues.push({ code: "custom", message: problem, input: value, continue: false });
    })
    .meta({ maxLength });
}

/** The fields of a change of a status, in a message or a body. */
export const statusFields = {
  availability: z.enum(["available", "away", "busy", "dnd", "invisible"]).nullish(),
  text: text(MAX_STATUS_TEXT_LENGTH).nullish(),
  emoji: text(MAX_STATUS_EMOJI_LENGTH).nullish(),
  expiresInMs: z.int().min(MIN_STATUS_MS).max(MAX_STATUS_MS).nullish(),
} satisfies Record<keyof StatusPatch, z.ZodType>;

/** The body of a request that sets a whole status. */
export const StatusSchema = z
  .strictObject(statusFields, { error: namesUnknownFields(Object.keys(statusFields)) })
  .meta({ id: "Status", description: "A user's declared status. Absent fields have their default." });
