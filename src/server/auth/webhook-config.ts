import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { FilterSchema } from "../../protocol/filter.ts";
import { Id } from "../../protocol/ids.ts";
import { namesUnknownFields } from "../../protocol/unknown-fields.ts";
import { outgoingUrlProblem } from "./outgoing-url.ts";
import { textWithout } from "./text-without.ts";
import { webhookSecretProblem } from "./webhook-secret.ts";

export const MAX_WEBHOOKS = 16;
const MAX_SECRETS = 16;

const fields = {
  id: Id,
  url: textWithout(outgoingUrlProblem),
  secrets: z
    .array(textWithout(webhookSecretProblem))
    .check(length(1, MAX_SECRETS, `must have 1 to ${MAX_SECRETS} secrets`)),
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
