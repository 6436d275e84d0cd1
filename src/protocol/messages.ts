import { z } from "zod";
import { length } from "./bounds.ts";
import { FilterSchema } from "./filter.ts";
import { Id, idList } from "./ids.ts";
import {
  customProblem,
  MAX_CUSTOM_KEY_LENGTH,
  MAX_CUSTOM_VALUE_LENGTH,
  MAX_LAST_SEEN_IDS,
  MAX_TOKEN_LENGTH,
} from "./rules.ts";
import { statusFields } from "./status.ts";
import type { CustomPatch, SessionPatch, ClientMessage as WireMessage } from "./wire.ts";

/** Checked by hand: zod's records drop a key named `__proto__`, and nothing here may be lost silently. */
const Custom = z
  .custom<CustomPatch>()
  .check((context) => {
    const problem = customProblem(context.value);
    if (problem !== undefined) {
      context.issues.push({ code: "custom", message: problem, input: context.value, continue: false });
    }
  })
  .meta({
    type: "object",
    propertyNames: { maxLength: MAX_CUSTOM_KEY_LENGTH },
    additionalProperties: { type: ["string", "null"], maxLength: MAX_CUSTOM_VALUE_LENGTH },
    description: "A patch: a text sets a key, null deletes it; null in place of the object deletes all.",
  });

const MessageId = z.int().min(0);
const id = { id: MessageId.optional() };

/** The fields of a change of a session, in a message or a body. */
export const sessionFields = {
  visible: z.boolean().optional(),
  selectedConversationId: Id.nullable().optional(),
  hasFocus: z.boolean().optional(),
  isTyping: z.boolean().optional(),
  isIdle: z.boolean().optional(),
  custom: Custom.nullable().optional(),
} satisfies Record<keyof SessionPatch, z.ZodType>;

/** An empty token is a bad token and not a bad message: the socket is closed as for any other bad token. */
const Token = z
  .string()
  .check(length(0, MAX_TOKEN_LENGTH, `must have at most ${MAX_TOKEN_LENGTH} characters`))
  .meta({ maxLength: MAX_TOKEN_LENGTH });

export const ClientMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("update"),
    ...id,
    sessionId: Id.optional(),
    ...sessionFields,
  }),
  z.object({
    type: z.literal("open"),
    ...id,
    kind: z.enum(["background", "widget"]),
    sessionId: Id.optional(),
    userId: Id.optional(),
    ...sessionFields,
  }),
  z.object({ type: z.literal("close"), ...id, sessionId: Id.optional() }),
  z.object({
    type: z.literal("subscribe"),
    id: MessageId,
    filter: FilterSchema,
    since: z.object({ view: Id, version: z.int().min(0) }).optional(),
    count: z.boolean().optional(),
    patch: z.boolean().optional(),
  }),
  z.object({ type: z.literal("unsubscribe"), ...id, view: Id }),
  z.object({
    type: z.literal("query"),
    id: MessageId,
    filter: FilterSchema,
    count: z.boolean().optional(),
  }),
  z.object({ type: z.literal("status"), ...id, userId: Id.optional(), ...statusFields }),
  z.object({ type: z.literal("last_seen"), id: MessageId, userIds: idList(MAX_LAST_SEEN_IDS) }),
  z.object({ type: z.literal("connect"), ...id, token: Token }),
  z.object({ type: z.literal("refresh"), ...id, token: Token }),
  z.object({ type: z.literal("ping"), ...id }),
]) satisfies z.ZodType<WireMessage, WireMessage>;

/** A validated message. */
export type ClientMessage = z.output<typeof ClientMessage>;
export type ClientMessageType = ClientMessage["type"];
export type Message<Type extends ClientMessageType> = Extract<ClientMessage, { type: Type }>;
