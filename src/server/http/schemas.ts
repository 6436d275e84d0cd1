import { z } from "zod";
import { VISIBLE_STATUSES } from "../../protocol/filter.ts";
import { ID_META } from "../../protocol/ids.ts";
import { MAX_ID_LENGTH, MAX_STATUS_EMOJI_LENGTH, MAX_STATUS_TEXT_LENGTH } from "../../protocol/rules.ts";

// The bodies of responses, for the OpenAPI document. Tests check that the routes respond with them.

const id = z.string().min(1).max(MAX_ID_LENGTH).meta({ pattern: ID_META.pattern });

/** The types of the wire describe values of filters without `fields`. With them, parts are left out. */
function unlessFields<T extends z.ZodType>(schema: T): T {
  return schema.optional() as unknown as T;
}

export const PresenceSession = z
  .object({
    selectedConversationId: unlessFields(id.nullable()),
    custom: unlessFields(z.record(z.string(), z.string())),
    hasFocus: unlessFields(z.boolean()),
    isTyping: unlessFields(z.boolean()),
    sessionId: unlessFields(id),
  })
  .meta({ id: "PresenceSession", description: "All fields, or those in the `fields` of the filter." });

export const Presence = z
  .object({
    status: z.enum([...VISIBLE_STATUSES, "invisible"]),
    statusText: z.string().max(MAX_STATUS_TEXT_LENGTH).optional(),
    statusEmoji: z.string().max(MAX_STATUS_EMOJI_LENGTH).optional(),
    backgroundSessions: unlessFields(z.array(PresenceSession)),
    widgets: unlessFields(z.array(PresenceSession)),
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

export const WebhookStats = z
  .object({
    id,
    deliveries: count.meta({ description: "Messages that the receiver accepted since the node started." }),
    failures: count.meta({ description: "Attempts that failed since the node started." }),
    secondsBehind: z.number().min(0).meta({
      description: "Age of the oldest change that the receiver has not accepted; 0 if there is none.",
    }),
    off: z.boolean().meta({ description: "Switched off, as the receiver answered 410." }),
    delivering: z.boolean().meta({ description: "Whether this node is the one that delivers." }),
  })
  .meta({ id: "WebhookStats", description: "A webhook, as the node that answers knows it." });
export type WebhookStats = z.output<typeof WebhookStats>;

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
    webhooks: z.array(WebhookStats).optional().meta({ description: "Absent for an app without webhooks." }),
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

export const Erased = z
  .object({ ended: count, erased: z.literal(true) })
  .meta({ id: "Erased", description: "How many sessions were ended. Nothing is known about the user now." });

export const UserCount = z.object({ data: z.object({ users: count }) }).meta({ id: "UserCount" });

const time = count.meta({ description: "Milliseconds since 1970." });

export const UserStatus = z
  .object({
    data: z.object({
      availability: z.enum(["available", "away", "busy", "dnd", "invisible"]),
      text: z.string().max(MAX_STATUS_TEXT_LENGTH).optional(),
      emoji: z.string().max(MAX_STATUS_EMOJI_LENGTH).optional(),
      expiresAt: time.optional(),
    }),
  })
  .meta({ id: "UserStatus", description: "What the user has declared." });

export const WrittenSession = z
  .object({ data: z.object({ sessionId: id, expiresAt: time, created: z.boolean() }) })
  .meta({ id: "WrittenSession", description: "It ends at `expiresAt` unless it is written again." });

export const LastSeen = z
  .union([z.object({ status: z.enum(VISIBLE_STATUSES) }), z.object({ lastSeenAt: time })])
  .meta({ description: "The status that others see now, or when they last saw the user." });

export const LastSeenUsers = z
  .object({ data: z.record(id, LastSeen) })
  .meta({ id: "LastSeenUsers", description: "By user id; users who were never seen are left out." });

export const CheckedUsers = z
  .object({
    data: z.object({
      present: z.array(id),
      absent: z.array(id),
      statuses: z.record(id, z.enum(VISIBLE_STATUSES)).meta({
        description: "Of those who are absent, but have a session and are not invisible.",
      }),
    }),
    degraded: z.literal(true).optional().meta({
      description: "The node cannot tell now whether it knows all sessions.",
    }),
  })
  .meta({ id: "CheckedUsers", description: "The ids in the order asked, each once." });

export const BatchResponses = z
  .array(z.tuple([z.union([z.int(), z.string()]), z.int(), z.unknown()]))
  .meta({ id: "BatchResponses", description: "`[seq, status, body]` for each request, in their order." });

export const Ended = z.object({ ended: count }).meta({ id: "Ended" });

export const Health = z.object({ status: z.string() }).meta({ id: "Health" });

export const ErrorBody = z
  .object({ errorCode: z.string(), reasons: z.record(z.string(), z.array(z.string())) })
  .meta({ id: "Error", description: "What was wrong, by the field or header it concerns." });
