import { z } from "zod";
import { ERROR_CODES } from "../../protocol/codes.ts";
import { Id } from "../../protocol/ids.ts";
import type { ServerMessage } from "../../protocol/wire.ts";
import { LastSeen, Presence } from "./schemas.ts";

// What the gateway sends, as schemas, for the AsyncAPI document. The gateway makes its messages by hand, and
// is fast for that. Tests check them with these schemas.

const count = z.int().min(0);
const id = { id: count };
const maybeId = { id: count.optional() };
const position = { view: Id, version: count };
const page = { data: z.record(z.string(), Presence), more: z.boolean().optional() };
export const PresencePatch = z
  .object({
    changed: z.record(
      z.string(),
      z.object({
        selectedConversationId: Id.nullable().optional(),
        custom: z.record(z.string(), z.string()).optional(),
        hasFocus: z.boolean().optional(),
        isTyping: z.boolean().optional(),
      }),
    ),
    status: Presence.shape.status.optional(),
    statusText: Presence.shape.statusText.nullable(),
    statusEmoji: Presence.shape.statusEmoji.nullable(),
  })
  .meta({ id: "PresencePatch", description: "What has changed, for a `subscribe` with `patch: true`." });
export const Cause = z.enum(["closed", "timeout", "replaced", "kicked", "node-lost", "changed"]);

export const ServerMessageSchema = z.union([
  z.object({
    type: z.literal("connected"),
    ...maybeId,
    userId: Id.nullable(),
    nodeId: Id,
    heartbeatMs: count,
    resumeWindowMs: count,
    tableId: Id.optional(),
  }),
  z.object({ type: z.literal("opened"), ...maybeId, sessionId: Id, resumed: z.boolean() }),
  z.object({
    type: z.literal("closed"),
    ...maybeId,
    sessionId: Id,
    cause: z.enum(["closed", "replaced", "kicked"]),
  }),
  z.object({ type: z.literal("snapshot"), ...id, ...position, ...page }),
  z.object({
    type: z.literal("snapshot"),
    id: z.never().optional(),
    reason: z.literal("lagged"),
    ...position,
    ...page,
  }),
  z.object({ type: z.literal("resumed"), ...id, ...position }),
  z.object({
    type: z.literal("diff"),
    ...position,
    data: z.record(z.string(), z.union([PresencePatch, Presence]).nullable()),
    causes: z.record(z.string(), Cause).optional(),
  }),
  z.object({ type: z.literal("result"), ...id, ...page }),
  z.object({
    type: z.literal("count"),
    ...id,
    view: z.undefined().optional(),
    version: z.undefined().optional(),
    users: count,
  }),
  z.object({ type: z.literal("count"), ...id, ...position, users: count }),
  z.object({ type: z.literal("count"), id: z.undefined().optional(), ...position, users: count }),
  z.object({ type: z.literal("last_seen"), ...id, data: z.record(z.string(), LastSeen) }),
  z.object({ type: z.literal("ok"), ...id }),
  z.object({ type: z.literal("pong"), ...maybeId }),
  z.object({ type: z.literal("token_expiring"), expiresInMs: count }),
  z.object({ type: z.literal("draining"), reconnectInMs: count }),
  z.object({
    type: z.literal("error"),
    ...maybeId,
    code: z.enum(ERROR_CODES),
    message: z.string(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    retryAfterMs: count.optional(),
    view: Id.optional(),
  }),
]) satisfies z.ZodType<ServerMessage, ServerMessage>;
