import { z } from "zod";
import { Id } from "../../protocol/ids.ts";
import type { WebhookAnswer, WebhookMessage } from "../../protocol/webhook-message.ts";
import { Presence } from "./schemas.ts";
import { Cause } from "./server-messages.ts";

// What webhooks send, as schemas, for the OpenAPI document. Tests check the messages with them.

const count = z.int().min(0);
const version = z.int().min(1);
const origin = { appId: Id, webhookId: Id };
const timestamp = z.iso.datetime().meta({ description: "When the message was made. A retry repeats it." });

function message<Type extends string, Shape extends z.ZodRawShape>(type: Type, data: Shape) {
  return z.object({ type: z.literal(type), timestamp, data: z.object({ ...origin, ...data }) });
}

export const WebhookSnapshot = message("presence.snapshot", {
  view: Id,
  version,
  users: z.record(z.string(), Presence),
  page: z.int().min(1),
  more: z.boolean().meta({ description: "More pages of the same snapshot follow." }),
}).meta({ id: "WebhookSnapshot", description: "A page of the whole result, at one version of the view." });

export const WebhookDiff = message("presence.diff", {
  view: Id,
  from: version.meta({ description: "The version of the copy on which this is valid." }),
  version: version.meta({ description: "The version of the copy after it." }),
  users: z.record(z.string(), Presence.nullable()).meta({ description: "null for a user who has left." }),
  causes: z.record(z.string(), Cause).meta({ description: "Why the users left who are null." }),
}).meta({ id: "WebhookDiff", description: "What leads from one version to a later one." });

export const WebhookCount = message("presence.count", { users: count }).meta({
  id: "WebhookCount",
  description: "The number of users in the result.",
});

export const WebhookMessageSchema = z
  .discriminatedUnion("type", [WebhookSnapshot, WebhookDiff, WebhookCount])
  .meta({ id: "WebhookMessage" }) satisfies z.ZodType<WebhookMessage>;

export const WebhookAnswerSchema = z
  .object({ resync: z.literal(true) })
  .meta({ id: "WebhookAnswer", description: "Asks for a snapshot." }) satisfies z.ZodType<WebhookAnswer>;
