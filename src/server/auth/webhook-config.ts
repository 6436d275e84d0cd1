import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { FilterSchema } from "../../protocol/filter.ts";
import { Id } from "../../protocol/ids.ts";
import { namesUnknownFields } from "../../protocol/unknown-fields.ts";
import { outgoingUrlProblem } from "./outgoing-url.ts";

export const MAX_WEBHOOKS = 16;
const MAX_SECRETS = 16;
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
export const SECRET_PREFIX = "whsec_";

/** The bytes of a secret; undefined if the text is none. */
export function webhookSecretBytes(text: string): Buffer | undefined {
  if (!text.startsWith(SECRET_PREFIX)) return undefined;
  const encoded = text.slice(SECRET_PREFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  const isExact = bytes.toString("base64") === encoded;
  return isExact && bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES ? bytes : undefined;
}

const Url = z.string().check(({ value, issues }) => {
  const message = outgoingUrlProblem(value);
  // zod's issue has the input. parseApps repeats only the message.
  if (message !== undefined) issues.push({ code: "custom", message, input: value, continue: false });
});

const Secret = z.string().refine((text) => webhookSecretBytes(text) !== undefined, {
  message: `must be ${SECRET_PREFIX} and the base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`,
});

const fields = {
  id: Id,
  url: Url,
  secrets: z.array(Secret).check(length(1, MAX_SECRETS, `must have 1 to ${MAX_SECRETS} secrets`)),
  filter: FilterSchema.optional(),
  /** Whether only the number of users is sent. */
  count: z.boolean().optional(),
  /** At most one diff, count or requested snapshot in this time, in milliseconds. */
  intervalMs: z.int().min(100).max(60_000).optional(),
};

/** One webhook of an app, as configured in `APPS`. */
export const WebhookConfig = z.strictObject(fields, { error: namesUnknownFields(Object.keys(fields)) });
export type WebhookConfig = z.output<typeof WebhookConfig>;

export const DEFAULT_WEBHOOK_INTERVAL_MS = 1_000;

/** The webhooks of one app. */
export const WebhookConfigs = z
  .array(WebhookConfig)
  .check(length(0, MAX_WEBHOOKS, `must have at most ${MAX_WEBHOOKS} webhooks`))
  .check(({ value, issues }) => {
    const ids = value.map(({ id }) => id);
    const twice = ids.findIndex((id, i) => ids.indexOf(id) < i);
    if (twice < 0) return;
    const message = "is the id of another webhook of this app";
    issues.push({ code: "custom", message, input: ids[twice], path: [twice, "id"], continue: false });
  });
