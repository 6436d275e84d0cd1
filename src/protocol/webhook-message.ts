import type { LeaveCause } from "./codes.ts";
import type { PresenceValue } from "./wire.ts";

/** The headers of a webhook, as Standard Webhooks names them. */
export const WEBHOOK_HEADERS = {
  id: "webhook-id",
  timestamp: "webhook-timestamp",
  signature: "webhook-signature",
} as const;

/** Which webhook of which app a message is of. */
interface WebhookOrigin {
  readonly appId: string;
  readonly webhookId: string;
}

interface Envelope<Type extends string, Data> {
  readonly type: Type;
  /** When the message was made, as ISO 8601. A retry repeats it. */
  readonly timestamp: string;
  readonly data: WebhookOrigin & Data;
}

/** The body of a webhook. */
export type WebhookMessage =
  /** A page of the whole result at one version of a view. */
  | Envelope<
      "presence.snapshot",
      {
        readonly view: string;
        readonly version: number;
        readonly users: Readonly<Record<string, PresenceValue>>;
        /** From 1. */
        readonly page: number;
        readonly more: boolean;
      }
    >
  /** What leads from one version of a view to a later one. */
  | Envelope<
      "presence.diff",
      {
        readonly view: string;
        readonly from: number;
        readonly version: number;
        readonly users: Readonly<Record<string, PresenceValue | null>>;
        /** Why the users left who are null. */
        readonly causes: Readonly<Record<string, LeaveCause>>;
      }
    >
  | Envelope<"presence.count", { readonly users: number }>;

/** The JSON body of an answer that asks for a snapshot. */
export interface WebhookAnswer {
  readonly resync: true;
}
