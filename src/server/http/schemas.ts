import { z } from "zod";
import { VISIBLE_STATUSES } from "../../protocol/filter.ts";
import { ID_META } from "../../protocol/ids.ts";
import { MAX_ID_LENGTH, MAX_STATUS_EMOJI_LENGTH, MAX_STATUS_TEXT_LENGTH } from "../../protocol/rules.ts";

// The bodies of responses, for the OpenAPI document. Tests check that the routes respond with them.

const id = z.string().min(1).max(MAX_ID_LENGTH).meta({ pattern: ID_META.pattern });

export const PresenceSession = z
  .object({
    selectedConversationId: id.nullable(),
    custom: z.record(z.string(), z.string()),
    hasFocus: z.boolean(),
    isTyping: z.boolean(),
    sessionId: id,
  })
  .meta({ id: "PresenceSession" });

export const Presence = z
  .object({
    status: z.enum([...VISIBLE_STATUSES, "invisible"]),
    statusText: z.string().max(MAX_STATUS_TEXT_LENGTH).optional(),
    statusEmoji: z.string().max(MAX_STATUS_EMOJI_LENGTH).optional(),
    backgroundSessions: z.array(PresenceSession),
    widgets: z.array(PresenceSession),
  })
  .meta({ id: "Presence", description: "One user who is in the result, with the sessions that matched." });

export const Presences = z
  .object({ data: z.record(id, Presence) })
  .meta({ id: "Presences", description: "The users in the result, by user id." });

export const UserSessions = z
  .array(z.object({ isTyping: z.boolean(), currentConversationId: id.nullable() }))
  .meta({
    id: "UserSessions",
    description: "Background sessions first, then visible widgets; empty when offline.",
  });

const count = z.int().min(0);
export const Stats = z
  .object({
    users: count,
    sessions: count,
    widgets: count.meta({ description: "Visible widgets." }),
    backgroundSessions: count.meta({ description: "All other sessions, hidden widgets among them." }),
    focused: count,
    typing: count,
    sockets: count,
    subscriptions: count,
    views: count,
  })
  .meta({ id: "Stats" });

const milliseconds = z.number().min(0);
export const NodeDescription = z
  .object({
    nodeId: id,
    version: z.string(),
    transport: z.enum(["ws", "uws"]).optional(),
    uptimeSeconds: count,
    rssBytes: count,
    heapUsedBytes: count,
    eventLoopDelayMs: z
      .object({ p50: milliseconds, p99: milliseconds, max: milliseconds })
      .meta({ description: "Over the last ten seconds." }),
  })
  .meta({ id: "NodeDescription", description: "The process that answers, not the app." });
export type NodeDescription = z.output<typeof NodeDescription>;

export const Ended = z.object({ ended: count }).meta({ id: "Ended" });

export const Health = z.object({ status: z.string() }).meta({ id: "Health" });

export const ErrorBody = z
  .object({ errorCode: z.string(), reasons: z.record(z.string(), z.array(z.string())) })
  .meta({ id: "Error", description: "What was wrong, by the field or header it concerns." });
